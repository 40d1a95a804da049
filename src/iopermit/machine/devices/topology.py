"""The PCI functions of the machine: few of those of QEMU's machine "q35" (Intel Q35 and ICH9)."""

from __future__ import annotations

from typing import Final

from iopermit.machine.devices.pci import Bar, PciFunction

_QEMU: Final = (0x1AF4, 0x1100)
_IO, _PREFETCHABLE = 1, 8

Q35: Final[dict[tuple[int, int, int], PciFunction]] = {
    (0, 0x00, 0): PciFunction(0x8086, 0x29C0, 0x060000, subsystem=_QEMU),
    (0, 0x01, 0): PciFunction(
        *(0x1234, 0x1111, 0x030000),
        revision=2,
        subsystem=_QEMU,
        bars={0: Bar(0x1000000, 0xFD000000, _PREFETCHABLE), 2: Bar(0x1000, 0xFEB90000)},
    ),
    (0, 0x1C, 0): PciFunction(
        *(0x8086, 0x2940, 0x060400), revision=2, interrupt=(10, 1), buses=(0, 1, 1)
    ),
    (0, 0x1F, 0): PciFunction(
        *(0x8086, 0x2918, 0x060100), revision=2, subsystem=_QEMU, multi_function=True
    ),
    (0, 0x1F, 2): PciFunction(
        *(0x8086, 0x2922, 0x010601),
        revision=2,
        subsystem=_QEMU,
        bars={4: Bar(0x20, 0xC040, _IO), 5: Bar(0x1000, 0xFEB91000)},
        interrupt=(10, 1),
        multi_function=True,
    ),
    (0, 0x1F, 3): PciFunction(
        *(0x8086, 0x2930, 0x0C0500),
        revision=2,
        subsystem=_QEMU,
        bars={4: Bar(0x40, 0x700, _IO)},
        interrupt=(10, 1),
        multi_function=True,
    ),
    (1, 0x00, 0): PciFunction(
        *(0x8086, 0x10D3, 0x020000),
        subsystem=(0x8086, 0),
        bars={
            0: Bar(0x20000, 0xFEA40000),
            1: Bar(0x20000, 0xFEA60000),
            2: Bar(0x20, 0xC000, _IO),
            3: Bar(0x4000, 0xFEA80000),
        },
        interrupt=(11, 1),
    ),
}
"""By bus, device, function: host bridge, display, root port, ISA bridge, SATA, SMBus, network."""
