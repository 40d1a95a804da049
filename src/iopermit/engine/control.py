"""What goes along with a search from its beginning to its end: limits, progress, interruption."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from iopermit.engine.ending import Ending, Interrupted, StateLimit, TimeLimit
from iopermit.engine.interruption import Interruption
from iopermit.engine.limits import Limits

if TYPE_CHECKING:
    from iopermit.engine.progress import Progress, ProgressCallback


@dataclass(frozen=True)
class Control:
    """Where a search gives up, who is told how far it is, and whether Ctrl-C was pressed.

    The time that the limits allow begins when the object is made.
    """

    limits: Limits = field(default_factory=Limits)
    progress: ProgressCallback | None = None
    interruption: Interruption = field(default_factory=Interruption)
    scenario: str = ""
    """What is searched, in words, for who is told of the progress."""
    started: float = field(default_factory=time.monotonic)

    def again(self) -> Control:
        """Return the same for another search, which has the whole time of the limits."""
        return replace(self, started=time.monotonic())

    def remaining(self) -> Control:
        """Return the same for a part of the search, which has the time that is left."""
        return replace(self, limits=self.limits.after(self.started), started=time.monotonic())

    def about(self, scenario: str) -> Control:
        """Return the same for the search of a scenario, which it names to who is told."""
        return replace(self, scenario=scenario)

    def ending(self, states: int) -> Ending | None:
        """Return what ends the search now that it has visited so many states, or None."""
        most, timeout = self.limits.max_states, self.limits.timeout
        if self.interruption.requested:
            return Interrupted()
        if timeout is not None and time.monotonic() - self.started > timeout:
            return TimeLimit(timeout)
        if most is not None and states >= most:
            return StateLimit(most)
        return None

    def report(self, progress: Progress) -> None:
        """Tell how far the search is."""
        if self.progress is not None:
            self.progress(replace(progress, scenario=self.scenario or progress.scenario))
