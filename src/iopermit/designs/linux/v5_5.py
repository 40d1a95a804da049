"""linux-5.5: the TSS is written only at exit to user mode; maps are shared and tagged."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.families import STALE_MAP_AND_TAG
from iopermit.designs.linux.base import (
    LAYOUT_5_5,
    MAX_IOPL,
    LimitCpu,
    LimitTask,
    LinuxTssLimit,
    OwnTss,
)
from iopermit.designs.linux.regset import IoBitmapRegset
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, IoplLevel, Longs, Ref, Refcount, Sequence


class IoBitmap(HeapObject):
    """``struct io_bitmap``: a map that tasks share until one of them changes it."""

    sequence: Sequence = 0
    """Tells this map with these contents from every other that ever was."""
    refcnt: Refcount = 0
    max: Longs = 0
    """Longs up to the last one with an allowed port."""
    bitmap: Bitmap


class Linux55(IoBitmapRegset, LinuxTssLimit):
    """The return to user mode brings the TSS up to date, every switch-out invalidates it.

    ioperm only changes the task's own map and gives it a new sequence number, which makes
    every copy of it in a TSS stale. iopl is emulated by a second map that allows every port.
    io_bitmap_exit() works on current even for the child of a failed fork: B9.
    """

    id = "linux-5.5"
    title = "The TSS is updated at exit to user mode; shared maps; emulated iopl"
    origin = "22fe5b0439dd53643fd6f4c582c46c6dba0fde53"
    family = STALE_MAP_AND_TAG
    layout: ClassVar[TssLayout] = LAYOUT_5_5
    options: ClassVar[dict[str, str]] = {
        "no_refcnt_reset": "the duplicate of a shared map keeps the old count (B4, V2 11/16)",
        "no_iopl_branch": "the update ignores iopl(3) (B6, repaired by e3cb0c7102f0)",
    }
    no_refcnt_reset: ClassVar[bool] = False
    no_iopl_branch: ClassVar[bool] = False
    iopl_survives_exec: ClassVar[bool] = True

    class Task(LimitTask):
        """A task."""

        io_bitmap: Ref[IoBitmap] = NULL
        iopl_emul: IoplLevel = 0
        """The level set by iopl(2); 3 allows all ports, lower levels none."""

    class Tss(machine_state.Tss):
        """The TSS of a CPU."""

        prev_sequence: Sequence = 0
        """Sequence number of the map that was copied last."""
        prev_max: Longs = 0
        """Longs of the TSS map that may have allowed ports."""

    class Cpu(LimitCpu):
        """A CPU."""

        current: Ref[Linux55.Task] = NULL
        tss: OwnTss[Linux55.Tss] = NULL

    def bring_up(self, cpu: Cpu) -> None:
        """Do tss_setup_io_bitmap(), which cpu_init() calls whenever the CPU comes up."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        cpu.tss.prev_max = 0
        cpu.tss.prev_sequence = 0
        cpu.tss.bitmap.fill()

    def ioperm(  # noqa: PLR0911 - the ways out that the system call has
        self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool
    ) -> int:
        """Change the task's own map, which it no longer shares then; the TSS follows later."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and (not task.privileged or self.globals.locked_down):
            return -EPERM
        iobm = task.io_bitmap
        if iobm is NULL:
            if not turn_on:
                return 0
            iobm = self.allocate(IoBitmap)
            if iobm is NULL:
                return -ENOMEM
            iobm.bitmap.fill()
            iobm.refcnt = 1
        if iobm.refcnt > 1:
            duplicate = self.allocate(IoBitmap)
            if duplicate is NULL:
                return -ENOMEM
            self.copy_io_bitmap(duplicate, iobm)
            iobm = duplicate
            self.io_bitmap_exit(cpu, task)
        task.io_bitmap = iobm
        task.tif_io_bitmap = True
        iobm.bitmap.change(ports, turn_on)
        longs = iobm.bitmap.extent()
        if longs == 0:
            self.io_bitmap_exit(cpu, task)
            return 0
        iobm.max = longs
        # Last, so that no CPU can have a copy of an older map under this number.
        iobm.sequence = self.next_sequence()
        return 0

    def copy_io_bitmap(self, duplicate: IoBitmap, iobm: IoBitmap) -> None:
        """Do kmemdup() of the whole structure; nobody sees the duplicate's count before it is 1."""
        duplicate.sequence = iobm.sequence
        if self.no_refcnt_reset:
            duplicate.refcnt = iobm.refcnt
        else:
            duplicate.refcnt = 1
        duplicate.max = iobm.max
        duplicate.bitmap.copy_from(iobm.bitmap)

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Emulate iopl: level 3 allows all ports (but never CLI and STI), lower levels nothing."""
        if level > MAX_IOPL:
            return -EINVAL
        if level == task.iopl_emul:
            return 0
        if level > task.iopl_emul and (not task.privileged or self.globals.locked_down):
            return -EPERM
        task.iopl_emul = level
        self.task_update_io_bitmap(cpu, task)
        return 0

    def io_bitmap_exit(self, cpu: Cpu, tsk: Task) -> None:
        """Take the map away from current.

        In v5.5 this function has no argument: it is for current, whichever task the caller
        means (B9). Commit 4bfe6cce133c added ``tsk``.
        """
        iobm = cpu.current.io_bitmap
        cpu.current.io_bitmap = NULL
        self.task_update_io_bitmap(cpu, tsk)
        self.io_bitmap_put(iobm)

    def io_bitmap_put(self, iobm: IoBitmap) -> None:
        """Drop one reference to a map, if there is a map."""
        if iobm is NULL:
            return
        if self.refcount_dec_and_test(iobm):
            self.free(iobm)

    def task_update_io_bitmap(self, cpu: Cpu, tsk: Task) -> None:
        """Let TIF_IO_BITMAP follow current's permissions (in v5.5 always current's)."""
        if cpu.current.iopl_emul == MAX_IOPL or cpu.current.io_bitmap is not NULL:
            cpu.current.tif_io_bitmap = True
        else:
            cpu.current.tif_io_bitmap = False
            with cpu.preemption_disabled():
                self.tss_update_io_bitmap(cpu)

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Invalidate after a task with permissions; the exit to user mode does the rest."""
        if previous.tif_io_bitmap:
            self.tss_invalidate_io_bitmap(cpu)

    def return_to_user(self, cpu: Cpu, task: Task) -> None:
        """Bring the TSS up to date on every return to user mode (prepare_exit_to_usermode)."""
        if task.tif_io_bitmap:
            self.tss_update_io_bitmap(cpu)

    def tss_invalidate_io_bitmap(self, cpu: Cpu) -> None:
        """Deny every port."""
        self.native_tss_invalidate_io_bitmap(cpu)

    def native_tss_invalidate_io_bitmap(self, cpu: Cpu) -> None:
        """Move the base past the TSS limit."""
        cpu.tss.io_map_base = IoMapBase.INVALID

    def tss_update_io_bitmap(self, cpu: Cpu) -> None:
        """Make the TSS match current's permissions."""
        self.native_tss_update_io_bitmap(cpu)

    def native_tss_update_io_bitmap(self, cpu: Cpu) -> None:
        """Select the map that is right for current, and copy its own map if the tag differs."""
        if not cpu.current.tif_io_bitmap:
            self.native_tss_invalidate_io_bitmap(cpu)
            return
        if cpu.current.iopl_emul == MAX_IOPL and not self.no_iopl_branch:
            cpu.tss.io_map_base = IoMapBase.ALL
        else:
            self.tss_select_io_bitmap(cpu)
        self.refresh_tss_limit(cpu)

    def tss_select_io_bitmap(self, cpu: Cpu) -> None:
        """Make the base select current's own map, copied if the TSS holds another one.

        Copying max(prev_max, max) longs overwrites what the last map left with this map's ones.
        """
        iobm = cpu.current.io_bitmap
        if cpu.tss.prev_sequence != iobm.sequence:
            cpu.tss.bitmap.copy_from(iobm.bitmap, max(cpu.tss.prev_max, iobm.max))
            cpu.tss.prev_max = iobm.max
            cpu.tss.prev_sequence = iobm.sequence
        cpu.tss.io_map_base = IoMapBase.VALID

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Share the map with a user child. The flag and iopl_emul came with the copy."""
        child.io_bitmap = NULL
        if child.kernel_thread:
            return 0
        if task.tif_io_bitmap:
            self.io_bitmap_share(task, child)
        return 0

    def io_bitmap_share(self, task: Task, child: Task) -> None:
        """Give the child a reference to current's map, if there is one (iopl needs none)."""
        if task.io_bitmap is not NULL:
            task.io_bitmap.refcnt += 1
            child.io_bitmap = task.io_bitmap
        child.tif_io_bitmap = True

    def fork_failed(self, cpu: Cpu, task: Task, child: Task) -> None:
        """Unwind a fork that failed after the thread was copied."""
        self.exit_thread(cpu, child)

    def exit(self, cpu: Cpu, task: Task) -> None:
        """End the current task."""
        self.exit_thread(cpu, task)

    def exit_thread(self, cpu: Cpu, tsk: Task) -> None:
        """Take the map away; the flag tested is current's."""
        if cpu.current.tif_io_bitmap:
            self.io_bitmap_exit(cpu, tsk)
