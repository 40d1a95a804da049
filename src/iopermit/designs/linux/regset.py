"""What a register-set dump, as of ptrace(2), reads of a task's map: get() of NT_386_IOPERM."""

from __future__ import annotations

from iopermit.designs.linux.base import LinuxDesign
from iopermit.system.design import Own
from iopermit.system.machine_state import Cpu, Task
from iopermit.system.records import NULL


class BlockRegset(LinuxDesign):
    """ioperm_get() where the map is a block of its own (v5.4, arch/x86/kernel/ptrace.c).

    All 8192 bytes are copied, however many are in use; without a map there is -ENXIO. What
    PTRACE_GETREGSET makes of the copy, and active(), which only core dumps ask, is left out.
    """

    def read_map(self, cpu: Cpu, task: Task, target: Own) -> None:
        """Copy the target's map, which is its own."""
        block = target.io_bitmap_ptr
        if block is NULL:
            return
        _copied = block.bitmap.extent()


class IoBitmapRegset(LinuxDesign):
    """ioperm_get() where the map is in ``struct io_bitmap`` (060aa16f; v5.5 and later).

    Since v5.5 tasks share it. No reference is taken: that the target keeps its own while it is
    stopped is all that keeps the map in use.
    """

    def read_map(self, cpu: Cpu, task: Task, target: Own) -> None:
        """Copy the target's map, which others may share."""
        iobm = target.io_bitmap
        if iobm is NULL:
            return
        _copied = iobm.bitmap.extent()
