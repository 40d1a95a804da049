"""Tests of the time of devices."""

from iopermit.machine.devices.clock import STEP, PolledTime


class Clock:
    """The clock of a machine."""

    def __init__(self, realtime: int) -> None:
        self.realtime = realtime

    def advance(self, nanoseconds: int) -> None:
        """Let time pass."""
        self.realtime += nanoseconds


def test_each_look_takes_time() -> None:
    """The machine's time advances by a fixed step when a device looks at it."""
    clock = Clock(5_000_000_000)
    time = PolledTime(clock)
    assert [time(), time()] == [5.0001, 5.0002]
    assert clock.realtime == 5_000_000_000 + 2 * STEP
