"""Tests of the port for POST codes."""

from iopermit.machine.devices.bus import Bus
from iopermit.machine.devices.post import PostCode


def test_the_last_code_is_kept() -> None:
    """Port 0x80 reads as what was written last, and the port next to it is no device's."""
    device = PostCode()
    bus = Bus([device])
    bus.write(0x80, 1, 0x12)
    bus.write(0x80, 2, 0xAB34)
    assert device.code == 0x34
    assert bus.read(0x80, 2) == 0xFF34
