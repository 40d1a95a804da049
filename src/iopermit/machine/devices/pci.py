"""PCI configuration space by mechanism 1: an address at port 0xCF8, the data at 0xCFC.

PCI Local Bus Specification 3.0, 3.2.2.3.2 "Software Generation of Configuration Transactions"
and chapter 6 "Configuration Space"; 6.2.5.1 for how software finds the size of an address range.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ADDRESS: Final = 0xCF8
DATA: Final = 0xCFC
_ENABLE: Final = 1 << 31
_ADDRESS_BITS: Final = 0x80FFFFFC
_IO: Final = 1
_BRIDGE: Final = 1
_MULTI_FUNCTION: Final = 0x80
_COMMAND: Final = 0x0407  # the bits that can be written: I/O, memory, bus master, INTx disable


@dataclass(frozen=True)
class Bar:
    """A range of memory or I/O addresses that a function answers."""

    size: int
    """Bytes or ports, a power of two."""
    address: int
    flags: int = 0
    """The lowest bits of the register: 1 for I/O ports, 8 for prefetchable memory."""


@dataclass(frozen=True)
class PciFunction:
    """What a PCI function says of itself."""

    vendor: int
    device: int
    class_code: int
    """Base class, subclass and programming interface, 24 bits."""
    revision: int = 0
    subsystem: tuple[int, int] = (0, 0)
    """Vendor and device of the board."""
    bars: Mapping[int, Bar] = field(default_factory=dict)
    """By number of the base address register."""
    interrupt: tuple[int, int] = (0, 0)
    """Interrupt line, and pin (1 is INTA)."""
    multi_function: bool = False
    buses: tuple[int, int, int] | None = None
    """Of a bridge: the buses before it and behind it, and the highest number behind it."""


class ConfigurationSpace:
    """The 256 bytes of a function, and which of their bits can be written."""

    def __init__(self, function: PciFunction) -> None:
        """Lay the header out."""
        self.content, self._writable = bytearray(256), bytearray(256)
        bridge = function.buses is not None
        header = (_BRIDGE if bridge else 0) | (_MULTI_FUNCTION if function.multi_function else 0)
        enabled = sum({1 if bar.flags & _IO else 2 for bar in function.bars.values()})
        self._put(0x00, "<HH", function.vendor, function.device)
        self._put(0x04, "<H", enabled, writable=_COMMAND)
        self._put(0x08, "<I", function.class_code << 8 | function.revision)
        self._put(0x0E, "<B", header)
        for number, bar in function.bars.items():
            mask = -bar.size & 0xFFFFFFFF
            self._put(0x10 + 4 * number, "<I", bar.address | bar.flags, writable=mask)
        if function.buses is not None:
            for offset, bus in enumerate(function.buses, 0x18):
                self._put(offset, "<B", bus, writable=0xFF)
        else:
            self._put(0x2C, "<HH", *function.subsystem)
        self._put(0x3C, "<B", function.interrupt[0], writable=0xFF)
        self._put(0x3D, "<B", function.interrupt[1])

    def store(self, offset: int, data: bytes) -> None:
        """Write bytes, as far as they can be written."""
        for index, octet in enumerate(data, offset):
            mask = self._writable[index]
            self.content[index] = self.content[index] & ~mask | octet & mask

    def _put(self, offset: int, kind: str, *values: int, writable: int = 0) -> None:
        struct.pack_into(kind, self.content, offset, *values)
        if writable:
            struct.pack_into(kind, self._writable, offset, writable)


class PciConfiguration:
    """The host bridge's two registers, and the functions behind them."""

    ports: tuple[range, ...] = (range(ADDRESS, DATA + 4),)
    widths: tuple[int, ...] = (2, 4)

    def __init__(self, functions: Mapping[tuple[int, int, int], PciFunction]) -> None:
        """Connect functions, by bus, device and function number."""
        self._spaces = {
            bus << 16 | device << 11 | number << 8: ConfigurationSpace(function)
            for (bus, device, number), function in functions.items()
        }
        self._address = 0

    def read(self, port: int, width: int) -> int:
        """Read the address or data; what is absent reads all ones."""
        if port == ADDRESS and width == 4:
            return self._address
        space = self._selected(port, width)
        if space is None:
            return (1 << 8 * width) - 1
        offset = (self._address & 0xFC) + port - DATA
        return int.from_bytes(space.content[offset : offset + width], "little")

    def write(self, port: int, width: int, value: int) -> None:
        """Write the address, which takes a doubleword only, or data."""
        if port == ADDRESS and width == 4:
            self._address = value & _ADDRESS_BITS
            return
        space = self._selected(port, width)
        if space is not None:
            offset = (self._address & 0xFC) + port - DATA
            space.store(offset, value.to_bytes(width, "little"))

    def _selected(self, port: int, width: int) -> ConfigurationSpace | None:
        inside = port >= DATA and port + width <= DATA + 4
        if not inside or not self._address & _ENABLE:
            return None
        return self._spaces.get(self._address & 0xFFFF00)
