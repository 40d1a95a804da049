"""Where a search gives up."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Limits:
    """Where a search gives up; None is no limit."""

    max_states: int | None = None
    max_memory: int | None = None
    """Bytes for states and their index."""
    timeout: float | None = None
    """Seconds."""

    def after(self, started: float) -> Limits:
        """Return what is left of the limits for work that began when the clock showed that."""
        if self.timeout is None:
            return self
        left = self.timeout - (time.monotonic() - started)
        return replace(self, timeout=max(0.0, left))
