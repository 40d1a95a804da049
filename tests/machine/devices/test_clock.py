"""Tests of the virtual time."""

from iopermit.machine.devices.clock import VirtualTime


def test_each_reading_advances_the_time() -> None:
    """The virtual time advances by its step at each reading and by nothing else."""
    time = VirtualTime(1000.0, 0.25)
    assert [time(), time(), time()] == [1000.25, 1000.5, 1000.75]
