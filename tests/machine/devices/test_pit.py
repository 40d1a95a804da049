"""Tests of the interval timer."""

from __future__ import annotations

import pytest

from iopermit.machine.devices.pit import FREQUENCY, IntervalTimer


class Bench:
    """A timer and its time in clock pulses."""

    def __init__(self) -> None:
        self.pulses = 0
        # Half a pulse later, so that rounding does not matter.
        self.timer = IntervalTimer(lambda: (self.pulses + 0.5 * bool(self.pulses)) / FREQUENCY)

    def start(self, control: int, count: int) -> int:
        """Program a counter, low byte first; return its port."""
        port = 0x40 + (control >> 6)
        self.timer.write(0x43, 1, control)
        self.timer.write(port, 1, count & 0xFF)
        self.timer.write(port, 1, count >> 8)
        return port

    def word(self, port: int) -> int:
        """Read two bytes of a counter."""
        return self.timer.read(port, 1) | self.timer.read(port, 1) << 8


@pytest.mark.parametrize(
    ("mode", "pulses", "count"),
    [
        (0, 0, 1000),
        (0, 400, 600),
        (0, 1001, 0xFFFF),
        (2, 400, 600),
        (2, 1400, 600),
        (3, 100, 800),
        (3, 600, 800),
    ],
)
def test_counting_down(mode: int, pulses: int, count: int) -> None:
    """Mode 0 counts on below zero, mode 2 starts again, mode 3 counts in twos."""
    bench = Bench()
    port = bench.start(0x30 | mode << 1, 1000)
    bench.pulses = pulses
    assert bench.word(port) == count


def test_a_latched_count_stands_still() -> None:
    """A latch command holds the count for one reading."""
    bench = Bench()
    port = bench.start(0x34, 1000)
    bench.pulses = 100
    bench.timer.write(0x43, 1, 0x00)
    bench.pulses = 200
    assert (bench.word(port), bench.word(port)) == (900, 800)


def test_read_back_gives_status_and_count() -> None:
    """The read-back command gives OUT, the access mode and the mode, then the count."""
    bench = Bench()
    port = bench.start(0x30, 10)
    bench.timer.write(0x43, 1, 0xC2)
    assert (bench.timer.read(port, 1), bench.word(port)) == (0x30, 10)
    bench.pulses = 11
    bench.timer.write(0x43, 1, 0xE2)
    assert bench.timer.read(port, 1) == 0xB0


@pytest.mark.parametrize(("access", "byte"), [(1, 0x34), (2, 0x12)])
def test_one_byte_of_the_count(access: int, byte: int) -> None:
    """A counter can be set to show its low or its high byte only."""
    bench = Bench()
    bench.timer.write(0x43, 1, access << 4)
    bench.timer.write(0x40, 1, byte)
    assert [bench.timer.read(0x40, 1) for _ in range(2)] == [byte, byte]


def test_port_61_shows_the_speaker_counter() -> None:
    """Bit 5 of port 0x61 is OUT of counter 2, bit 4 toggles; a closed gate holds the count."""
    bench = Bench()
    bench.timer.write(0x61, 1, 0x00)
    bench.start(0xB0, 50)
    bench.pulses = 100
    assert bench.timer.read(0x61, 1) & 0x20 == 0
    bench.timer.write(0x61, 1, 0x01)
    bench.pulses = 151
    first, second = bench.timer.read(0x61, 1), bench.timer.read(0x61, 1)
    assert first & 0x23 == 0x21
    assert (first ^ second) & 0x10
    assert bench.timer.read(0x43, 1) == 0xFF
