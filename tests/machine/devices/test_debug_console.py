"""Tests of the debug console."""

import io

from iopermit.machine.devices.bus import Bus
from iopermit.machine.devices.debug_console import DebugConsole


def test_bytes_are_printed() -> None:
    """What is written to port 0xE9 comes out, and the port reads its own number."""
    sink = io.BytesIO()
    bus = Bus([DebugConsole(sink)])
    for octet in b"hello":
        bus.write(0xE9, 1, octet)
    assert sink.getvalue() == b"hello"
    assert bus.read(0xE9, 1) == 0xE9


def test_without_a_sink_bytes_are_dropped() -> None:
    """A console that is not connected takes bytes too."""
    Bus([DebugConsole(None)]).write(0xE9, 1, 0x41)
