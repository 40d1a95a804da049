"""linux-5.4: the map in the TSS always equals the current task's map; the base stays valid."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.families import MAP_EQUALS_CURRENT
from iopermit.designs.linux.base import (
    LAYOUT_5_4,
    LimitCpu,
    LinuxThreadIopl,
    OwnTss,
    ThreadIoplTask,
)
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Longs, Ref


class BitmapBlock(HeapObject):
    """The block of 8192 bytes that a task's map is in."""

    bitmap: Bitmap


class Linux54(LinuxThreadIopl):
    """Every switch copies the following task's map or denies what the previous one had.

    Bits at or above current's max are all ones, so ioperm may copy only that much. A failed
    fork clears the flag of the parent, which keeps its map: B11. exec keeps the map.
    """

    id = "linux-5.4"
    title = "Eager copy up to the highest port; the base is always valid"
    origin = "v5.4, arch/x86/kernel/ioport.c and process.c"
    family = MAP_EQUALS_CURRENT
    layout: ClassVar[TssLayout] = LAYOUT_5_4
    options: ClassVar[dict[str, str]] = {
        "no_limit_refresh": "nothing repairs the cached limit at a context switch (B16)",
        "no_forced_reload": "a VM exit does not repair the limit for current itself (B16)",
    }

    class Task(ThreadIoplTask):
        """A task."""

        io_bitmap_ptr: Ref[BitmapBlock] = NULL
        io_bitmap_max: Longs = 0
        """Longs up to the last one with an allowed port; 0 only without a map."""

    class Cpu(LimitCpu):
        """A CPU."""

        current: Ref[Linux54.Task] = NULL
        tss: OwnTss[machine_state.Tss] = NULL

    def bring_up(self, cpu: Cpu) -> None:
        """Deny every port by a map of ones and make the base valid for ever after."""
        cpu.tss.bitmap.fill()
        cpu.tss.io_map_base = IoMapBase.VALID

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map and the TSS map. Only a first call sets the flag."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and (not task.privileged or self.globals.locked_down):
            return -EPERM
        if task.io_bitmap_ptr is NULL:
            block = self.allocate(BitmapBlock)
            if block is NULL:
                return -ENOMEM
            block.bitmap.fill()
            task.io_bitmap_ptr = block
            task.tif_io_bitmap = True
            with cpu.preemption_disabled():
                self.refresh_tss_limit(cpu)
        with cpu.preemption_disabled():
            task.io_bitmap_ptr.bitmap.change(ports, turn_on)
            longs = task.io_bitmap_ptr.bitmap.extent(at_least=1)
            updated = max(longs, task.io_bitmap_max)
            task.io_bitmap_max = longs
            cpu.tss.bitmap.copy_from(task.io_bitmap_ptr.bitmap, updated)
        return 0

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Copy over all that the previous task may have left, or deny it."""
        if following.tif_io_bitmap:
            cpu.tss.bitmap.copy_from(
                following.io_bitmap_ptr.bitmap,
                max(previous.io_bitmap_max, following.io_bitmap_max),
            )
            self.refresh_tss_limit(cpu)
        elif previous.tif_io_bitmap:
            cpu.tss.bitmap.fill(previous.io_bitmap_max)

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Give a user child a map of its own. A failing TLS set-up, after it, is left out."""
        child.io_bitmap_ptr = NULL
        if child.kernel_thread:
            return 0
        if task.tif_io_bitmap:
            block = self.allocate(BitmapBlock)
            if block is NULL:
                child.io_bitmap_max = 0
                return -ENOMEM
            block.bitmap.copy_from(task.io_bitmap_ptr.bitmap)
            child.io_bitmap_ptr = block
            child.tif_io_bitmap = True
        return 0

    def fork_failed(self, cpu: Cpu, task: Task, child: Task) -> None:
        """Unwind a fork that failed after the thread was copied."""
        self.exit_thread(cpu, child)

    def exit(self, cpu: Cpu, task: Task) -> None:
        """End the current task."""
        self.exit_thread(cpu, task)

    def exit_thread(self, cpu: Cpu, tsk: Task) -> None:
        """Free the map of ``tsk``. The flag and the TSS are those of current, whoever tsk is."""
        if tsk.io_bitmap_ptr is NULL:
            return
        block = tsk.io_bitmap_ptr
        with cpu.preemption_disabled():
            tsk.io_bitmap_ptr = NULL
            cpu.current.tif_io_bitmap = False
            cpu.tss.bitmap.fill(tsk.io_bitmap_max)
            tsk.io_bitmap_max = 0
        self.free(block)
