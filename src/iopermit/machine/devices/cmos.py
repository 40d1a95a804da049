"""The clock chip with its battery-backed memory at ports 0x70 and 0x71.

Motorola MC146818A data sheet, "Address map", "Update cycle" and "Register A" to "Register D";
Intel ICH9 data sheet (316972), sections 5.12 and 13.6 (index port and century byte). The time
cannot be set; the bytes of the memory can be, for as long as the machine runs.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from iopermit.machine.devices.clock import Now

INDEX: Final = 0x70
DATA: Final = 0x71
_INDEX_BITS: Final = 0x7F  # bit 7 masks the non-maskable interrupt

_CENTURY: Final = 0x32
_REGISTER_B: Final = 0x0B
_READ_ONLY: Final = (0x00, 0x02, 0x04, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0C, 0x0D, _CENTURY)
"""The time, and registers A, C and D. The alarms can be stored."""

_UPDATE_IN_PROGRESS: Final = 0x80
_DIVIDER_AND_RATE: Final = 0x26  # 32,768 Hz time base, 1,024 Hz periodic rate
_BINARY: Final = 0x04
_TWENTY_FOUR_HOURS: Final = 0x02
_AFTERNOON: Final = 0x80
_VALID: Final = 0x80

UPDATE_SECONDS: Final = (244 + 1984) * 1e-6
"""How long before the next second UIP is set: 244 us ahead of an update cycle of 1984 us."""


class RealTimeClock:
    """An MC146818 whose time is UTC, as Linux expects of a machine that only runs Linux."""

    ports: tuple[range, ...] = (range(INDEX, DATA + 1),)

    def __init__(self, now: Now) -> None:
        """Show the time that `now` returns."""
        self._now = now
        self._index = 0
        self._memory = bytearray(_INDEX_BITS + 1)
        self._memory[_REGISTER_B] = _TWENTY_FOUR_HOURS

    def read(self, port: int, width: int) -> int:
        """Return the byte that the index selects; the index itself cannot be read."""
        return self._register() if port == DATA else 0xFF

    def write(self, port: int, width: int, value: int) -> None:
        """Select a byte, or store one. Time and registers A, C and D cannot be stored."""
        if port == INDEX:
            self._index = value & _INDEX_BITS
        elif self._index not in _READ_ONLY:
            self._memory[self._index] = value

    def _register(self) -> int:
        match self._index:
            case 0x0A:
                left = 1 - self._now() % 1
                busy = _UPDATE_IN_PROGRESS if left <= UPDATE_SECONDS else 0
                return busy | _DIVIDER_AND_RATE
            case 0x0C:
                return 0  # no interrupt is ever pending
            case 0x0D:
                return _VALID
            case 0x00 | 0x02 | 0x04 | 0x06 | 0x07 | 0x08 | 0x09 | 0x32:
                return self._time(self._index)
            case _:
                return self._memory[self._index]

    def _time(self, index: int) -> int:
        time = datetime.fromtimestamp(self._now(), UTC)
        if index == 0x04:
            return self._hours(time.hour)
        fields = {
            0x00: time.second,
            0x02: time.minute,
            0x06: time.isoweekday() % 7 + 1,  # Sunday is 1
            0x07: time.day,
            0x08: time.month,
            0x09: time.year % 100,
            _CENTURY: time.year // 100,
        }
        return self._coded(fields[index])

    def _hours(self, hour: int) -> int:
        if self._memory[_REGISTER_B] & _TWENTY_FOUR_HOURS:
            return self._coded(hour)
        half = _AFTERNOON if hour >= 12 else 0
        return half | self._coded((hour + 11) % 12 + 1)

    def _coded(self, value: int) -> int:
        """Return a number as register B wants it: in binary or in BCD."""
        if self._memory[_REGISTER_B] & _BINARY:
            return value
        return value // 10 << 4 | value % 10
