"""Tests of the serial port."""

from __future__ import annotations

import io

import pytest

from iopermit.machine.devices.uart import Uart


@pytest.fixture
def sink() -> io.BytesIO:
    """Give what receives the bytes sent."""
    return io.BytesIO()


@pytest.fixture
def uart(sink: io.BytesIO) -> Uart:
    """Give a serial port."""
    return Uart(sink)


def test_bytes_are_sent_at_once(uart: Uart, sink: io.BytesIO) -> None:
    """A byte written to 0x3F8 is sent, and the transmitter is empty at any time."""
    for octet in b"ok\n":
        assert uart.read(0x3FD, 1) == 0x60
        uart.write(0x3F8, 1, octet)
    assert sink.getvalue() == b"ok\n"


def test_the_divisor_is_behind_its_access_bit(uart: Uart, sink: io.BytesIO) -> None:
    """With DLAB set, offsets 0 and 1 are the divisor, and nothing is sent."""
    uart.write(0x3FB, 1, 0x83)
    uart.write(0x3F8, 1, 1)
    uart.write(0x3F9, 1, 2)
    assert (uart.read(0x3F8, 1), uart.read(0x3F9, 1)) == (1, 2)
    uart.write(0x3FB, 1, 0x03)
    assert (uart.read(0x3F9, 1), sink.getvalue()) == (0, b"")


def test_a_16550a_is_recognised(uart: Uart) -> None:
    """The identification shows the FIFOs once they are enabled; the scratch register works."""
    assert uart.read(0x3FA, 1) == 0x01
    uart.write(0x3FA, 1, 0x07)
    assert uart.read(0x3FA, 1) == 0xC1
    uart.write(0x3FF, 1, 0x5A)
    uart.write(0x3F9, 1, 0xFF)
    assert (uart.read(0x3FF, 1), uart.read(0x3F9, 1)) == (0x5A, 0x0F)


def test_loopback(uart: Uart, sink: io.BytesIO) -> None:
    """In loopback a sent byte is received, a second one overruns, and outputs are inputs."""
    uart.write(0x3FC, 1, 0x1A)
    assert uart.read(0x3FE, 1) == 0x90
    uart.write(0x3F8, 1, 0x41)
    uart.write(0x3F8, 1, 0x42)
    assert uart.read(0x3FD, 1) == 0x63
    assert (uart.read(0x3F8, 1), uart.read(0x3FD, 1), sink.getvalue()) == (0x41, 0x60, b"")
    uart.write(0x3FC, 1, 0)
    assert uart.read(0x3FE, 1) == 0xB0
