"""linux-6.16: a child never has the flag without permissions of its own."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.linux.base import MAX_IOPL
from iopermit.designs.linux.v5_5 import Linux55
from iopermit.designs.linux.v5_8 import Linux58
from iopermit.system.machine_state import IoMapBase
from iopermit.system.records import NULL


class Linux616(Linux58):
    """fork clears the flag of every child first, and only current's TSS is ever updated.

    This cures B10. TSS-UPDATE warns of a flag without a map; the kernel goes on after the
    warning and follows the NULL pointer, so here the warning is a kernel assertion.
    """

    id = "linux-6.16"
    title = "As v5.8; fork clears TIF_IO_BITMAP of every child first"
    origin = "8b68e978718f14fdcb080c2a7791c52a0d09bc6d"
    iopl_skips_cli_sti: ClassVar[bool] = True
    """With emulated iopl(3), CLI and STI do nothing instead of faulting.

    fixup_iopl_exception(), since v5.16 (b968e84b509d). Only running programs can show it.
    """

    def io_bitmap_exit(self, cpu: Linux55.Cpu, tsk: Linux55.Task) -> None:
        """Take the map away from ``tsk``; the TSS has to follow only if that is current."""
        iobm = tsk.io_bitmap
        tsk.io_bitmap = NULL
        if tsk is cpu.current:
            self.task_update_io_bitmap(cpu, tsk)
        self.io_bitmap_put(iobm)

    def task_update_io_bitmap(self, cpu: Linux55.Cpu, tsk: Linux55.Task) -> None:
        """Let TIF_IO_BITMAP follow current's permissions (the kernel's has no argument again)."""
        if cpu.current.iopl_emul == MAX_IOPL or cpu.current.io_bitmap is not NULL:
            cpu.current.tif_io_bitmap = True
        else:
            cpu.current.tif_io_bitmap = False
            with cpu.preemption_disabled():
                self.tss_update_io_bitmap(cpu)

    def tss_select_io_bitmap(self, cpu: Linux55.Cpu) -> None:
        """Make the base select current's own map, copied if the TSS holds another one."""
        iobm = cpu.current.io_bitmap
        assert iobm is not NULL, "WARN_ON_ONCE(!iobm)"  # a kernel assertion
        if cpu.tss.prev_sequence != iobm.sequence:
            cpu.tss.bitmap.copy_from(iobm.bitmap, max(cpu.tss.prev_max, iobm.max))
            cpu.tss.prev_max = iobm.max
            cpu.tss.prev_sequence = iobm.sequence
        cpu.tss.io_map_base = IoMapBase.VALID

    def fork(self, cpu: Linux55.Cpu, task: Linux55.Task, child: Linux55.Task) -> int:
        """Share the map with a user child, the only one that gets the flag."""
        child.io_bitmap = NULL
        child.tif_io_bitmap = False
        if child.kernel_thread:
            return 0
        if task.tif_io_bitmap:
            self.io_bitmap_share(task, child)
        return 0


class Linux616PreemptOff(Linux616):
    """linux-6.16 with TIF_IO_BITMAP cleared inside the region with preemption off.

    The smallest repair of the leak that the search finds in v5.5 to v6.16: a task that is
    preempted between clearing its flag and invalidating the TSS is switched out without the
    flag, so switch-out leaves the base valid for the next task (docs/findings.md).
    """

    id = "linux-6.16+preempt_off"
    title = "As v6.16; TIF_IO_BITMAP is cleared with preemption off (our repair)"
    origin = "derived by this project; never posted"

    def task_update_io_bitmap(self, cpu: Linux55.Cpu, tsk: Linux55.Task) -> None:
        """Clear the flag and invalidate the TSS in one region with preemption off."""
        if cpu.current.iopl_emul == MAX_IOPL or cpu.current.io_bitmap is not NULL:
            cpu.current.tif_io_bitmap = True
        else:
            with cpu.preemption_disabled():
                cpu.current.tif_io_bitmap = False
                self.tss_update_io_bitmap(cpu)
