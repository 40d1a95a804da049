"""Tests of PCI configuration space."""

from __future__ import annotations

import pytest

from iopermit.machine.devices.bus import Bus
from iopermit.machine.devices.pci import PciConfiguration
from iopermit.machine.devices.topology import Q35


@pytest.fixture
def bus() -> Bus:
    """Give a bus with nothing but PCI configuration."""
    return Bus([PciConfiguration(Q35)])


def select(bus: Bus, where: tuple[int, int, int], offset: int) -> None:
    """Write an address for a function's register."""
    number = where[0] << 16 | where[1] << 11 | where[2] << 8 | offset
    bus.write(0xCF8, 4, 1 << 31 | number)


def read(bus: Bus, where: tuple[int, int, int], offset: int, width: int = 4) -> int:
    """Read a register."""
    select(bus, where, offset)
    return bus.read(0xCFC + offset % 4, width)


def test_functions_answer_with_their_identity(bus: Bus) -> None:
    """Every function shows vendor, device, class and revision, in every width."""
    for where, function in Q35.items():
        identity = function.device << 16 | function.vendor
        assert read(bus, where, 0) == identity
        assert read(bus, where, 2, 2) == function.device
        assert read(bus, where, 1, 1) == function.vendor >> 8
        assert read(bus, where, 8) == function.class_code << 8 | function.revision


def test_nobody_answers_elsewhere(bus: Bus) -> None:
    """An absent function, and any function while the enable bit is clear, reads all ones."""
    assert read(bus, (0, 5, 0), 0) == 0xFFFFFFFF
    bus.write(0xCF8, 4, 0)
    assert bus.read(0xCFC, 4) == 0xFFFFFFFF
    assert bus.read(0xCFC, 2) == 0xFFFF


def test_the_address_takes_a_doubleword_only(bus: Bus) -> None:
    """Only 4-byte accesses at 0xCF8 reach the address, whose reserved bits stay zero."""
    bus.write(0xCF8, 4, 0xFFFFFFFF)
    bus.write(0xCFB, 1, 1)
    bus.write(0xCF8, 2, 0)
    assert bus.read(0xCF8, 4) == 0x80FFFFFC
    assert bus.read(0xCF8, 1) == 0xFF


def test_sizes_of_address_ranges(bus: Bus) -> None:
    """A base register into which all ones are written shows its size and its type."""
    network, sata = (1, 0, 0), (0, 0x1F, 2)
    select(bus, network, 0x10)
    bus.write(0xCFC, 4, 0xFFFFFFFF)
    assert bus.read(0xCFC, 4) == 0xFFFE0000
    bus.write(0xCFC, 4, 0xFEA40000)
    assert bus.read(0xCFC, 4) == 0xFEA40000
    select(bus, sata, 0x20)
    bus.write(0xCFC, 4, 0xFFFFFFFF)
    assert bus.read(0xCFC, 4) == 0xFFFFFFE1


def test_identity_cannot_be_written(bus: Bus) -> None:
    """Stores to read-only registers are ignored; bits of the command register are kept."""
    select(bus, (0, 0, 0), 0)
    bus.write(0xCFC, 4, 0)
    assert bus.read(0xCFC, 4) == 0x29C08086
    select(bus, (0, 0, 0), 4)
    bus.write(0xCFC, 2, 0xFFFF)
    assert bus.read(0xCFC, 2) == 0x0407


def test_functions_behind_the_root_port(bus: Bus) -> None:
    """The root port leads to the bus that the network card is on; 0x1F has several functions."""
    assert read(bus, (0, 0x1C, 0), 0x18) == 0x010100
    assert read(bus, (0, 0x1C, 0), 0x0E, 1) == 1
    assert read(bus, (0, 0x1F, 0), 0x0E, 1) == 0x80
    assert read(bus, (1, 0, 0), 0x3C, 2) == 0x010B
