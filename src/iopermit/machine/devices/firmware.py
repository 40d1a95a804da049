"""What a PC's firmware leaves in the first megabyte: VGA BIOS, ACPI's root, SMBIOS tables.

SMBIOS Reference Specification 2.8 (DSP0134), 5.2.1 "SMBIOS 2.1 (32-bit) Entry Point" and chapter 7;
ACPI Specification 6.5, 5.2.5 "Root System Description Pointer"; PCI Firmware Specification 3.0,
chapter 5 "PCI Expansion ROMs". The tables say what the machine is: one that iopermit emulates.
"""

from __future__ import annotations

import struct
from typing import Final

SIZE: Final = 1 << 20
"""Bytes that can be looked at."""
_VGA, _VGA_SIZE = 0xC0000, 0x8000
_ACPI, _ACPI_TABLE = 0xE0000, 0xE0040
_SMBIOS, _SMBIOS_TABLE = 0xF0000, 0xF0040
_MAKER: Final = "iopermit"


def firmware() -> bytes:
    """Return the first megabyte of memory, whose RAM is zero."""
    memory = bytearray(SIZE)
    tables, count = _smbios_tables()
    for start, data in (
        (_VGA, _vga_bios()),
        (_ACPI, _acpi_pointer()),
        (_ACPI_TABLE, _acpi_table()),
        (_SMBIOS, _smbios_entry(tables, count)),
        (_SMBIOS_TABLE, tables),
    ):
        memory[start : start + len(data)] = data
    # The jump that a processor begins with, and the date of the BIOS.
    memory[0xFFFF0:0xFFFFD] = b"\xea\x5b\xe0\x00\xf0" + b"01/01/26"
    return bytes(memory)


def _checked(data: bytes, at: int) -> bytes:
    """Return data with a checksum at an offset, so that all bytes add up to zero."""
    return data[:at] + bytes([-sum(data) & 0xFF]) + data[at + 1 :]


def _vga_bios() -> bytes:
    """Return an expansion ROM for the display of the machine, which returns at once."""
    pci = struct.pack("<4sHHHHB3sHHBBH", b"PCIR", 0x1234, 0x1111, 0, 24, 0, b"\0\0\3",
                      _VGA_SIZE // 512, 1, 0, 0x80, 0)  # fmt: skip
    image = bytearray(_VGA_SIZE)
    image[:4] = b"\x55\xaa" + bytes([_VGA_SIZE // 512]) + b"\xcb"
    image[0x18:0x1A] = (0x40).to_bytes(2, "little")
    image[0x1E:0x21] = b"IBM"
    image[0x40 : 0x40 + len(pci)] = pci
    return _checked(bytes(image), _VGA_SIZE - 1)


def _acpi_pointer() -> bytes:
    return _checked(struct.pack("<8sB6sBI", b"RSD PTR ", 0, b"IOPERM", 0, _ACPI_TABLE), 8)


def _acpi_table() -> bytes:
    """Return a root table without entries."""
    head = (b"RSDT", 36, 1, 0, b"IOPERM", b"MACHINE ", 1, b"IOPM", 1)
    return _checked(struct.pack("<4sIBB6s8sI4sI", *head), 9)


def _structure(kind: int, handle: int, form: str, *fields: object, texts: tuple[str, ...]) -> bytes:
    """Return a structure: header, formatted area, and the strings that its numbers name."""
    area = struct.pack("<" + form, *fields)
    strings = b"".join(text.encode() + b"\0" for text in texts) or b"\0"
    return struct.pack("<BBH", kind, 4 + len(area), handle) + area + strings + b"\0"


def _smbios_tables() -> tuple[bytes, int]:
    """Return the structures and how many there are."""
    structures = [
        _structure(0, 0, "BBHBBQHBBBB", 1, 2, 0xF000, 3, 0, 0x80, 0, 0, 0, 0xFF, 0xFF,
                   texts=(_MAKER, "0.1", "01/01/2026")),
        _structure(1, 0x100, "BBBB16sBBB", 1, 2, 3, 0, bytes(range(16)), 6, 0, 0,
                   texts=(_MAKER, "PC with an I/O permission bitmap", "0.1")),
        _structure(3, 0x300, "BBBBBBBBB4xBBBB", 1, 1, 0, 0, 0, 3, 3, 3, 2, 0, 0, 0, 0,
                   texts=(_MAKER,)),
        _structure(4, 0x400, "BBBBQBBHHHBBHHHBBB", 1, 3, 1, 2, 0x0781_ABFD_0000_0663, 3, 0, 0,
                   1000, 1000, 0x41, 1, 0xFFFF, 0xFFFF, 0xFFFF, 0, 0, 0,
                   texts=("CPU 0", _MAKER, "emulated x86-64")),
        _structure(16, 0x1000, "BBBIHH", 1, 3, 3, 1 << 20, 0xFFFE, 1, texts=()),
        _structure(17, 0x1100, "HHHHHBBBBBH", 0x1000, 0xFFFE, 64, 64, 1024, 9, 0, 1, 0, 7, 0,
                   texts=("DIMM 0",)),
        _structure(32, 0x2000, "6xB", 0, texts=()),
        _structure(127, 0x7F00, "", texts=()),
    ]  # fmt: skip
    return b"".join(structures), len(structures)


def _smbios_entry(tables: bytes, count: int) -> bytes:
    longest = 256
    inner = struct.pack("<5sBHIHB", b"_DMI_", 0, len(tables), _SMBIOS_TABLE, count, 0x28)
    outer = struct.pack("<4sBBBBHB5x", b"_SM_", 0, 0x1F, 2, 8, longest, 0)
    return _checked(outer + _checked(inner, 5), 4)
