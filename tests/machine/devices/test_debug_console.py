"""Tests of the debug console."""

import io

import pytest

from iopermit.machine.devices.bus import Bus
from iopermit.machine.devices.debug_console import DebugConsole


def test_bytes_are_printed_as_they_are_and_in_order() -> None:
    """Every value of a byte that is written to port 0xE9 comes out once, as it is."""
    sink = io.BytesIO()
    bus = Bus([DebugConsole(sink)])
    for octet in range(256):
        bus.write(0xE9, 1, octet)
    assert sink.getvalue() == bytes(range(256))


def test_reading_returns_the_ports_number_and_prints_nothing() -> None:
    """The port reads 0xE9, by which software finds out that it is there; nothing is printed."""
    sink = io.BytesIO()
    bus = Bus([DebugConsole(sink)])
    assert bus.read(0xE9, 1) == 0xE9
    assert sink.getvalue() == b""


@pytest.mark.parametrize("port", [0xE8, 0xEA])
def test_the_neighbours_are_not_its_ports(port: int) -> None:
    """Port 0xE9 is its only port: the ones beside it print nothing and read all ones."""
    sink = io.BytesIO()
    bus = Bus([DebugConsole(sink)])
    bus.write(port, 1, 0x41)
    assert sink.getvalue() == b""
    assert bus.read(port, 1) == 0xFF


@pytest.mark.parametrize(
    ("port", "width", "value", "printed"),
    [(0xE9, 2, 0x4241, b"A"), (0xE8, 2, 0x4241, b"B"), (0xE6, 4, 0x44434241, b"D")],
)
def test_of_a_wider_access_its_own_byte_is_printed(
    port: int, width: int, value: int, printed: bytes
) -> None:
    """An access of 2 or 4 bytes reaches it with the one byte that falls on port 0xE9."""
    sink = io.BytesIO()
    bus = Bus([DebugConsole(sink)])
    bus.write(port, width, value)
    assert sink.getvalue() == printed
    shift = 8 * (0xE9 - port)
    assert bus.read(port, width) == ((1 << 8 * width) - 1) & ~(0xFF << shift) | 0xE9 << shift


def test_without_a_sink_bytes_are_dropped_and_the_port_still_answers() -> None:
    """A console that is not connected takes bytes too, and is still found."""
    bus = Bus([DebugConsole(None)])
    bus.write(0xE9, 1, 0x41)
    assert bus.read(0xE9, 1) == 0xE9
