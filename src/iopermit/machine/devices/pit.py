"""The interval timer at ports 0x40-0x43 and the port 0x61 that controls its third counter.

Intel 8254 data sheet (231164), "Control word format", "Read operations" and "Mode definitions";
Intel ICH9 data sheet (316972), 13.7.1 "NMI_SC" for port 0x61. The counters follow the machine's
time. No interrupt is raised. Counting in BCD and modes 1, 4 and 5 (as mode 0) are left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from iopermit.machine.devices.clock import Now

FREQUENCY: Final = 1_193_182
"""Input clock in Hz: a twelfth of the 14.31818 MHz of the first PC."""
CONTROL: Final = 0x43
SYSTEM_CONTROL: Final = 0x61
_FIRST: Final = 0x40
_SPEAKER_COUNTER: Final = 2
_READ_BACK: Final = 3
_LOW, _HIGH, _BOTH = 1, 2, 3
_RATE_GENERATOR, _SQUARE_WAVE = 2, 3


class PitCounter:
    """One of the three counters."""

    def __init__(self, now: Now) -> None:
        """Count at the pace of `now`; the gate is open."""
        self._now = now
        self._started = now()
        self._reload = 0x10000
        self._mode, self._access = _SQUARE_WAVE, _BOTH
        self._pending_low: int | None = None
        self._latched: list[int] = []
        self._high_next = False
        self.gate = True
        """Input GATE; a counter with a closed gate shows its reload value."""

    def program(self, access: int, mode: int) -> None:
        """Take a control word for this counter."""
        self._access, self._mode = access, mode & 3 if mode & 2 else mode
        self._pending_low, self._latched, self._high_next = None, [], False

    def write(self, value: int) -> None:
        """Take a byte of a new count, which starts the counter when it is complete."""
        if self._access == _BOTH and self._pending_low is None:
            self._pending_low = value
            return
        if self._access == _BOTH:
            count = value << 8 | (self._pending_low or 0)
            self._pending_low = None
        else:
            count = value << 8 if self._access == _HIGH else value
        self._reload = count or 0x10000
        self._started = self._now()

    def latch(self, *, count: bool = True, status: bool = False) -> None:
        """Hold status and count for the next readings, unless a latched one was not read yet."""
        if self._latched:
            return
        if status:
            self._latched.append(self._status())
        if count:
            self._latched += self._count_bytes()

    def read(self) -> int:
        """Return the next byte."""
        if self._latched:
            return self._latched.pop(0)
        parts = self._count_bytes()
        if self._access != _BOTH:
            return parts[0]
        self._high_next = not self._high_next
        return parts[0 if self._high_next else 1]

    def restart(self) -> None:
        """Let a rising edge of GATE start the count again."""
        self._started = self._now()

    def output(self) -> bool:
        """Return the level of OUT."""
        elapsed = self._elapsed()
        if self._mode == _SQUARE_WAVE:
            return elapsed % self._reload < (self._reload + 1) // 2
        if self._mode == _RATE_GENERATOR:
            return elapsed % self._reload != self._reload - 1
        return elapsed >= self._reload

    def _elapsed(self) -> int:
        """Return the clock pulses since the counter started."""
        return int((self._now() - self._started) * FREQUENCY) if self.gate else 0

    def _count(self) -> int:
        elapsed = self._elapsed()
        if self._mode == _SQUARE_WAVE:
            return self._reload - 2 * elapsed % self._reload  # two at a time
        if self._mode == _RATE_GENERATOR:
            return self._reload - elapsed % self._reload
        return self._reload - elapsed

    def _count_bytes(self) -> list[int]:
        count = self._count() & 0xFFFF
        parts = [count & 0xFF, count >> 8]
        return {_LOW: parts[:1], _HIGH: parts[1:]}.get(self._access, parts)

    def _status(self) -> int:
        return self.output() << 7 | self._access << 4 | self._mode << 1


class IntervalTimer:
    """An 8254, its third counter gated by port 0x61."""

    ports: tuple[range, ...] = (
        range(_FIRST, CONTROL + 1),
        range(SYSTEM_CONTROL, SYSTEM_CONTROL + 1),
    )

    def __init__(self, now: Now) -> None:
        """Count at the pace of `now`."""
        self._counters = [PitCounter(now) for _ in range(3)]
        self._control = 0
        self._refresh = 0

    def read(self, port: int, width: int) -> int:
        """Read a counter or port 0x61; the control word cannot be read."""
        if port == CONTROL:
            return 0xFF
        if port != SYSTEM_CONTROL:
            return self._counters[port - _FIRST].read()
        self._refresh ^= 0x10  # the bit that toggled with each refresh of the memory
        output = self._counters[_SPEAKER_COUNTER].output()
        return self._control | self._refresh | output << 5

    def write(self, port: int, width: int, value: int) -> None:
        """Write a counter, a control word or port 0x61."""
        if port == SYSTEM_CONTROL:
            speaker = self._counters[_SPEAKER_COUNTER]
            if value & 1 and not speaker.gate:
                speaker.restart()
            speaker.gate = bool(value & 1)
            self._control = value & 0x0F
        elif port != CONTROL:
            self._counters[port - _FIRST].write(value)
        elif value >> 6 == _READ_BACK:
            for index, counter in enumerate(self._counters):
                if value >> 1 + index & 1:
                    counter.latch(count=not value & 0x20, status=not value & 0x10)
        elif value >> 4 & 3 == 0:
            self._counters[value >> 6].latch()
        else:
            self._counters[value >> 6].program(value >> 4 & 3, value >> 1 & 7)
