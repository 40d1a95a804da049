"""Tests of the time of devices."""

from tests.support.machine.manual_clock import Clock

from iopermit.machine.devices.clock import STEP, PolledTime


def test_each_look_takes_time() -> None:
    """The machine's time advances by a fixed step when a device looks at it."""
    clock = Clock(5_000_000_000)
    time = PolledTime(clock)
    assert [time(), time()] == [5.0001, 5.0002]
    assert clock.realtime == 5_000_000_000 + 2 * STEP
