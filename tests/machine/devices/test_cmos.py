"""Tests of the clock chip."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.machine.manual_clock import Clock

from iopermit.machine.devices.clock import STEP, PolledTime
from iopermit.machine.devices.cmos import UPDATE_SECONDS, RealTimeClock

EVENING = datetime(2026, 11, 24, 21, 5, 39, tzinfo=UTC)
"""A Tuesday."""
TIME_REGISTERS = (0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x32)


def read(chip: RealTimeClock, register: int) -> int:
    """Read a register of the chip."""
    chip.write(0x70, 1, register)
    return chip.read(0x71, 1)


def write(chip: RealTimeClock, register: int, value: int) -> None:
    """Write a register of the chip."""
    chip.write(0x70, 1, register)
    chip.write(0x71, 1, value)


def test_time_in_bcd() -> None:
    """After power-on the chip shows second, minute, hour, weekday, day, month, year, in BCD."""
    chip = RealTimeClock(EVENING.timestamp)
    values = [read(chip, register) for register in TIME_REGISTERS]
    assert values == [0x39, 0x05, 0x21, 3, 0x24, 0x11, 0x26, 0x20]


@pytest.mark.parametrize(
    ("control", "hour", "expected"),
    [
        (0x06, 21, 21),
        (0x02, 21, 0x21),
        (0x00, 0, 0x12),
        (0x00, 12, 0x92),
        (0x00, 11, 0x11),
        (0x00, 23, 0x91),
        (0x04, 23, 0x8B),
        (0x04, 0, 12),
    ],
)
def test_modes_of_the_hours(control: int, hour: int, expected: int) -> None:
    """Register B selects binary or BCD, and 12 hours with bit 7 for afternoon, or 24."""
    chip = RealTimeClock(EVENING.replace(hour=hour).timestamp)
    write(chip, 0x0B, control)
    assert read(chip, 0x04) == expected


def test_update_in_progress_is_announced() -> None:
    """UIP is set during the last 2228 us of each second, and then the seconds advance."""
    times = iter([9.5, 9.9977, 9.9978, 9.9999, 10.0])
    chip = RealTimeClock(lambda: next(times))
    assert [read(chip, 0x0A) for _ in range(5)] == [0x26, 0x26, 0xA6, 0xA6, 0x26]


@given(start=st.integers(0, 2 * 10**18))
def test_polling_meets_every_second(start: int) -> None:
    """A program that polls UIP in the machine's time sees it rise within a second, then fall."""
    chip = RealTimeClock(PolledTime(Clock(start)))
    risen = next(i for i in range(10_100) if read(chip, 0x0A) & 0x80)
    fallen = next(i for i in range(100) if not read(chip, 0x0A) & 0x80)
    assert risen <= 10_001
    assert fallen <= UPDATE_SECONDS * 1e9 / STEP + 1


@pytest.mark.parametrize("register", [*TIME_REGISTERS, 0x0A, 0x0C, 0x0D])
def test_the_time_cannot_be_set(register: int) -> None:
    """Writing the time or a status register other than B changes nothing."""
    chip = RealTimeClock(EVENING.timestamp)
    before = read(chip, register)
    write(chip, register, before ^ 0xFF)
    assert read(chip, register) == before


def test_memory_is_kept_and_the_index_cannot_be_read() -> None:
    """Bytes of the memory keep their values; bit 7 of the index does not count."""
    chip = RealTimeClock(EVENING.timestamp)
    write(chip, 0x7F, 0xA5)
    write(chip, 0x8E, 0x5A)
    assert (read(chip, 0x7F), read(chip, 0x0E)) == (0xA5, 0x5A)
    assert chip.read(0x70, 1) == 0xFF
    assert read(chip, 0x0D) == 0x80
