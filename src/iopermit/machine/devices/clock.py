"""The time that devices go by: the host's, or one that only advances when it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

Now: TypeAlias = Callable[[], float]
"""Returns seconds since 1970-01-01 00:00 UTC."""

DEFAULT_STEP: Final = 100e-6
"""Seconds by which a reading advances the virtual time, much more than a port access takes.

A program that polls the clock chip for the start of a second needs at most 10,000 readings
then. The chip announces an update for 2.2 ms, so that no announcement is missed.
"""


class VirtualTime:
    """A time that advances by the same step whenever it is read, so that runs are reproducible."""

    def __init__(self, start: float, step: float = DEFAULT_STEP) -> None:
        """Start at `start` seconds since 1970 and advance by `step` seconds."""
        self._start, self._step, self._readings = start, step, 0

    def __call__(self) -> float:
        """Return the time, later at every call."""
        self._readings += 1
        return self._start + self._readings * self._step
