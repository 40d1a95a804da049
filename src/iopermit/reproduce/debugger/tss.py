"""Reads a CPU's TSS in a stopped virtual machine, and asks `arch` what it allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from iopermit import arch
from iopermit.engine.trace import SelectedMap
from iopermit.report.reproduction.facts import SeenTss

if TYPE_CHECKING:
    from iopermit.reproduce.debugger.remote import RemoteDebugger
    from iopermit.reproduce.image.layout import KernelLayout

_TR: Final = re.compile(r"^TR =[0-9a-f]{4} ([0-9a-f]{16}) ([0-9a-f]{8})", re.MULTILINE)
_CPU: Final = re.compile(r"^CPU#(\d+)$", re.MULTILINE)
_USER: Final = 3
_IOPL_SHIFT: Final = 12


def read_tss(debugger: RemoteDebugger, layout: KernelLayout, cpu: int, eflags: int) -> SeenTss:
    """Read a CPU's TSS by its TR, and ask the permission check about every port in user mode.

    Args:
        debugger: of a stopped machine; its last registers must be those of `cpu`.
        layout: tells the kernel's maps from each other.
        cpu: the CPU's number.
        eflags: EFLAGS of the task in user mode, for its IOPL.
    """
    address, limit = task_register(debugger.monitor("info registers -a"), cpu)
    # From the hardware's TSS up to the limit; the permission check reads no further.
    image = debugger.read(address, limit + 1)
    tss = arch.LoadedTss(arch.TssFormat.TSS64, image, limit)
    iopl = eflags >> _IOPL_SHIFT & 3
    ports = arch.permitted_ports(1, cpl=_USER, iopl=iopl, vm86=False, protected=True, tss=tss)
    base = tss.io_map_base
    return SeenTss(base, limit, selected(base, limit, layout), tuple(arch.as_ranges(ports)))


def task_register(registers: str, cpu: int) -> tuple[int, int]:
    """Return base and limit in a CPU's TR, of what QEMU's ``info registers -a`` prints."""
    parts = _CPU.split(registers)
    texts = dict(zip(map(int, parts[1::2]), parts[2::2], strict=True))
    found = _TR.search(texts[cpu])
    assert found is not None  # QEMU prints it for every CPU
    return int(found[1], 16), int(found[2], 16)


def selected(base: int, limit: int, layout: KernelLayout) -> SelectedMap:
    """Return what an I/O map base selects."""
    if base > limit:
        return SelectedMap.PAST_LIMIT
    if base == layout.map_in_tss:
        return SelectedMap.VALID
    return SelectedMap.ALL_PORTS if base == layout.all_ports else SelectedMap.OTHER
