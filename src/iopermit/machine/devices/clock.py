"""The time that devices go by: the machine's, which passes faster while devices are polled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeAlias

Now: TypeAlias = Callable[[], float]
"""Returns seconds since 1970-01-01 00:00 UTC."""

STEP: Final = 100_000
"""Nanoseconds by which a device's look at the time advances it, much more than an access takes.

A program that polls the clock chip for the start of a second needs at most 10,000 readings
then. The chip announces an update for 2.2 ms, so that no announcement is missed.
"""


class MachineClock(Protocol):
    """The clock of the machine."""

    @property
    def realtime(self) -> int:
        """Nanoseconds since 1970."""

    def advance(self, nanoseconds: int) -> None:
        """Let time pass."""


class PolledTime:
    """The time of the machine as devices see it; a look at it takes a fixed time.

    It depends on nothing of the host, so that runs can be repeated.
    """

    def __init__(self, clock: MachineClock) -> None:
        """Show the time of `clock`."""
        self._clock = clock

    def __call__(self) -> float:
        """Return the time, later at every call."""
        self._clock.advance(STEP)
        return self._clock.realtime / 1e9
