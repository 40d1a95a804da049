"""What the system calls and the way back to user mode may write, and what they must not."""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.kernel.execution.host.functions import DATA
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.kernel.execution.classifier import Actor
    from iopermit.kernel.state.guest_memory import GuestMemory

_BASE_FIELD: Final = 0x66
"""Offset of the I/O map base in the hardware's TSS."""
_PER_CPU: Final = (
    "gdt_page",
    "__tss_limit_invalid",
    "__preempt_count",
    "pcpu_hot",
    "iopermit_xen_map",
)
_TASK_FIELDS: Final = (
    "task_io_bitmap",
    "task_iopl_emul",
    "task_io_bitmap_ptr",
    "task_io_bitmap_max",
    "task_iopl",
)
_KNOWN: Final = frozenset({"cpu_tss_rw", "gdt_page", "pcpu_hot"})
"""The subsystem's, of which code writes certain parts only."""
_DATA: Final = ("io_bitmap_sequence", ".data.once")


@dataclass(frozen=True)
class Outside:
    """A write outside the subsystem's objects.

    Attributes:
        what: where it goes.
        crash: whether it destroys what belongs to others. Otherwise it may be something new, such
            as a variable or a field that a patch adds, and the search follows it.
    """

    what: str
    crash: bool


class Guard:
    """Tells of each write of a guarded function whether it stays in the subsystem's objects."""

    def __init__(self, memory: GuestMemory) -> None:
        """Find out where the subsystem's objects are."""
        self._memory = memory
        layout, image = memory.layout, memory.emulator.image
        self._per_cpu = [(layout.tss + _BASE_FIELD, layout.tss_end)]
        for name in _PER_CPU:
            if name in image.symbols:
                start = image.symbols[name]
                self._per_cpu.append((start, start + max(8, image.sizes.get(name, 8))))
        flags = layout.task_flags
        self._task = {flags & ~7}
        # thread_info.status, which the way back to user mode clears.
        self._task.add((flags + 8) & ~7)
        for name in _TASK_FIELDS:
            offset = layout.get(f"offsetof_{name}")
            if offset is not None:
                self._task.add(offset & ~7)
        start = layout["offsetof_task_thread"]
        self._thread = range(start, start + layout["sizeof_thread"])
        self._symbols = sorted((address, name) for name, address in image.symbols.items())

    def of(self, actor: Actor) -> Callable[[int], Outside | None]:
        """Return what judges the writes of a transition."""

        def judged(address: int) -> Outside | None:
            what = self._outside(actor, address)
            return Outside(what, self._is_foreign(address)) if what else None

        return judged

    def _is_foreign(self, address: int) -> bool:
        """Return whether no code of the subsystem can have anything to write there."""
        if address >= at.TASK:
            return (address - at.TASK) % at.TASK_STRIDE not in self._thread
        if address >= at.PER_CPU:
            address = (address - at.PER_CPU) % at.PER_CPU_STRIDE
            if any(start <= address < end for start, end in self._per_cpu):
                # Another CPU's.
                return False
        name = self._symbol(address)[1].rpartition(":")[2]
        return not name or name in DATA or name in _KNOWN

    def _outside(self, actor: Actor, address: int) -> str:
        if address >= at.HEAP:
            return ""
        if address >= at.TASK:
            slot, offset = divmod(address - at.TASK, at.TASK_STRIDE)
            if slot != actor.slot:
                return "another task's structure"
            return "" if offset & ~7 in self._task else f"byte {offset} of the task's structure"
        if address >= at.PER_CPU:
            cpu, offset = divmod(address - at.PER_CPU, at.PER_CPU_STRIDE)
            if cpu != actor.cpu:
                return f"CPU {cpu}'s {self._named(offset)}"
            inside = any(start <= offset < end for start, end in self._per_cpu)
            return "" if inside else self._named(offset)
        name = self._named(address)
        return "" if any(one in name for one in _DATA) else name

    def _named(self, address: int) -> str:
        start, name = self._symbol(address)
        return f"{name.rpartition(':')[2]}+{address - start:#x}" if name else f"{address:#x}"

    def _symbol(self, address: int) -> tuple[int, str]:
        """Return address and name of the symbol at or before an address; the name may be empty."""
        index = bisect.bisect_right(self._symbols, (address, "\x7f")) - 1
        return self._symbols[index] if index >= 0 else (address, "")
