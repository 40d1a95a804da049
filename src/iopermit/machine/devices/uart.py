"""The first serial port, a 16550A at 0x3F8.

National Semiconductor PC16550D data sheet, section 8 "Registers". What is sent goes to a file
at once; nothing is received, except in loopback. No interrupt is raised.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from iopermit.machine.devices.output import ByteSink

PORT: Final = 0x3F8
_FIFO: Final = 16
_DATA, _INTERRUPTS, _IDENTIFICATION, _LINE, _MODEM, _LINE_STATUS, _MODEM_STATUS = range(7)
_DIVISOR_ACCESS: Final = 0x80
_LOOPBACK: Final = 0x10
_NOTHING_PENDING: Final = 0x01
_FIFOS_ENABLED: Final = 0xC0
_DATA_READY: Final = 0x01
_OVERRUN: Final = 0x02
_TRANSMITTER_EMPTY: Final = 0x60
_CONNECTED: Final = 0xB0  # carrier, data set ready, clear to send


class Uart:
    """A serial port whose other end takes everything and says nothing."""

    ports: tuple[range, ...] = (range(PORT, PORT + 8),)

    def __init__(self, sink: ByteSink | None) -> None:
        """Send bytes to `sink`, or drop them."""
        self._sink = sink
        # Interrupt enable, line control, modem control, scratch: plain bytes, by offset.
        self._plain = dict.fromkeys((_INTERRUPTS, _LINE, _MODEM, 7), 0)
        self._divisor = [12, 0]  # 9,600 baud
        self._fifos = False
        self._received: deque[int] = deque()
        self._overrun = 0

    def read(self, port: int, width: int) -> int:
        """Read a register."""
        offset = port - PORT
        if offset in (0, 1) and self._plain[_LINE] & _DIVISOR_ACCESS:
            return self._divisor[offset]
        match offset:
            case 0:
                return self._received.popleft() if self._received else 0
            case 2:
                return _NOTHING_PENDING | (_FIFOS_ENABLED if self._fifos else 0)
            case 5:
                status = _TRANSMITTER_EMPTY | self._overrun
                self._overrun = 0
                return status | (_DATA_READY if self._received else 0)
            case 6:
                return self._modem_status()
            case _:
                return self._plain[offset]

    def write(self, port: int, width: int, value: int) -> None:
        """Write a register."""
        offset = port - PORT
        if offset in (0, 1) and self._plain[_LINE] & _DIVISOR_ACCESS:
            self._divisor[offset] = value
        elif offset == _DATA:
            self._send(value)
        elif offset == _INTERRUPTS:
            self._plain[offset] = value & 0x0F
        elif offset == _IDENTIFICATION:
            self._fifos = bool(value & 1)
            if value & 2:  # clear what was received
                self._received.clear()
        elif offset == _MODEM:
            self._plain[offset] = value & 0x1F
        elif offset in self._plain:
            self._plain[offset] = value

    def _send(self, value: int) -> None:
        if not self._plain[_MODEM] & _LOOPBACK:
            if self._sink is not None:
                self._sink.write(bytes((value,)))
        elif len(self._received) < (_FIFO if self._fifos else 1):
            self._received.append(value)
        else:
            self._overrun = _OVERRUN

    def _modem_status(self) -> int:
        """Return the inputs, which in loopback are the outputs: RTS, DTR, OUT1, OUT2."""
        control = self._plain[_MODEM]
        if not control & _LOOPBACK:
            return _CONNECTED
        return (control & 2) << 3 | (control & 1) << 5 | (control & 4) << 4 | (control & 8) << 4
