"""The port bus: which device answers an access, and the log of all accesses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT_COUNT: Final = 65536
"""Number of I/O ports."""


class PortDevice(Protocol):
    """A device with I/O ports.

    One that takes accesses of more than a byte as they are has `widths`, the widths in bytes that
    it takes in one piece. One without it, or without the width, gets such an access byte by byte.
    """

    ports: tuple[range, ...]
    """The ports that it answers."""

    def read(self, port: int, width: int) -> int:
        """Answer an IN of `width` bytes (1, 2 or 4) at `port`."""

    def write(self, port: int, width: int, value: int) -> None:
        """Take an OUT of `width` bytes (1, 2 or 4) at `port`."""


class Log(Protocol):
    """Receives text, as a file does."""

    def write(self, text: str, /) -> object:
        """Take some text."""


class Bus:
    """The I/O ports of the machine. Ports that no device claims read all ones."""

    def __init__(self, devices: Sequence[PortDevice], log: Log | None = None) -> None:
        """Connect devices.

        Args:
            devices: the devices; where two claim a port, the later one has it.
            log: receives every access as one line of JSON.
        """
        self._claims: dict[int, PortDevice] = {
            port: device for device in devices for ports in device.ports for port in ports
        }
        self._log = log

    def read(self, port: int, width: int) -> int:
        """Return what an IN of `width` bytes at `port` reads."""
        device = self._whole(port, width)
        if device is not None:
            return device.read(port, width) & ((1 << 8 * width) - 1)
        value = 0
        for i in range(width):
            part = self._claims.get(port + i)
            octet = 0xFF if part is None else part.read(port + i, 1) & 0xFF
            value |= octet << 8 * i
        return value

    def write(self, port: int, width: int, value: int) -> None:
        """Do an OUT of `width` bytes at `port`."""
        device = self._whole(port, width)
        if device is not None:
            device.write(port, width, value)
            return
        for i in range(width):
            part = self._claims.get(port + i)
            if part is not None:
                part.write(port + i, 1, value >> 8 * i & 0xFF)

    def log(self, record: dict[str, object]) -> None:
        """Write a line to the log of accesses, if there is one."""
        if self._log is not None:
            self._log.write(json.dumps(record) + "\n")

    def _whole(self, port: int, width: int) -> PortDevice | None:
        """Return the device that takes the whole access in one piece, if there is one."""
        device = self._claims.get(port)
        if width == 1 or device is None:
            return device
        whole = width in getattr(device, "widths", ())
        claimed = all(self._claims.get(port + i) is device for i in range(1, width))
        return device if whole and claimed else None
