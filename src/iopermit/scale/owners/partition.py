"""One hash partition: where its levels end, and how far the present one was expanded."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class PartitionPosition:
    """Where the levels of a partition end in the order of its states."""

    number: int
    levels: list[int] = field(default_factory=list)
    """Number of states at the end of each level; the last one ends the present level."""
    following: int = 0
    """Number of the state to be expanded next."""
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held by the thread that adds states."""

    def level(self, number: int) -> tuple[int, int]:
        """Return the first state of a level, and the one behind its last."""
        return (self.levels[number - 1] if number else 0), self.levels[number]

    @property
    def frontier(self) -> int:
        """States of the present level; none before the first one has begun."""
        if not self.levels:
            return 0
        first, last = self.level(len(self.levels) - 1)
        return last - first

    @property
    def is_expanded(self) -> bool:
        """Whether all of the present level is expanded."""
        return self.following >= self.levels[-1]

    def advance(self, states: int) -> None:
        """Begin the next level: all states that were added in this one."""
        self.following = self.levels[-1] if self.levels else 0
        self.levels.append(states)
