"""Tells how long a task was held, and whether the kernel will ever preempt it there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from iopermit.reproduce.errors import UnforcedError

PATIENCE: Final = 25
"""Ticks of the kernel's clock, each a chance to preempt, for which a task is held though another
one waits for its CPU: 25 ms of the guest's time or more, however busy the host is."""
LONGEST: Final = 2000
"""Ticks for which a task is held in all, many times what the timer takes."""


@dataclass
class Hold:
    """A task that is held at an instruction: again and again, it executes nothing."""

    step: int
    """The number of the step in which it is."""
    place: str
    began: int
    """The kernel's clock when it was held first."""
    times: int = 1
    waiting: int | None = None
    """The kernel's clock when another task was seen first to wait for the CPU."""
    in_vain: bool = False
    """Whether it was held for so long that nobody will come."""

    def again(self, ticks: int, *, waits: bool) -> None:
        """Hold it once more.

        Args:
            ticks: the kernel's clock.
            waits: whether another task waits for the CPU.

        Raises:
            UnforcedError: another one waits, and the kernel does not preempt this one.
        """
        self.times += 1
        self.in_vain = ticks - self.began > LONGEST
        if not waits:
            self.waiting = None
            return
        if self.waiting is None:
            self.waiting = ticks
        waited = ticks - self.waiting
        if waited > PATIENCE:
            raise UnforcedError(
                self.step,
                f"never preempted there: held before {self.place} {self.times:,} times, and for "
                f"{waited} ticks of the kernel's clock another task waited for the CPU",
            )
