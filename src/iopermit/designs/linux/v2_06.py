"""linux-v2-06: patch V2 06/16 of November 2019 as posted, the patch under review."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.families import STALE_MAP_AND_TAG
from iopermit.designs.linux.base import (
    LAYOUT_PREV_MAX,
    LimitCpu,
    LinuxThreadIopl,
    OwnTss,
    ThreadIoplTask,
)
from iopermit.designs.linux.regset import BlockRegset
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Longs, Ref


class BitmapBlock(HeapObject):
    """The block of 8192 bytes that a task's map is in."""

    bitmap: Bitmap


class LinuxV2Patch06(BlockRegset, LinuxThreadIopl):
    """Switching out only moves the base past the TSS limit and leaves the map as it is.

    ioperm still copies only max(new max, own old max) and does not raise the dirty mark
    prev_max: B1 and B2. Preemption is on between making the base valid (region 1) and
    writing the map (region 2).
    """

    id = "linux-v2-06"
    title = "Switching out only moves the base past the limit (patch V2 06/16, as posted)"
    origin = "20191111223052.086299881@linutronix.de"
    family = STALE_MAP_AND_TAG
    layout: ClassVar[TssLayout] = LAYOUT_PREV_MAX

    class Task(ThreadIoplTask):
        """A task."""

        io_bitmap_ptr: Ref[BitmapBlock] = NULL
        io_bitmap_max: Longs = 0
        """Longs up to the last one with an allowed port; 0 only without a map."""

    class Tss(machine_state.Tss):
        """The TSS of a CPU."""

        prev_max: Longs = 0
        """io_bitmap_prev_max: longs that the last map user may have left with allowed ports."""

    class Cpu(LimitCpu):
        """A CPU."""

        current: Ref[LinuxV2Patch06.Task] = NULL
        tss: OwnTss[LinuxV2Patch06.Tss] = NULL

    def bring_up(self, cpu: Cpu) -> None:
        """Do what cpu_init() does whenever the CPU comes up: base past the limit, map of ones."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        cpu.tss.prev_max = 0
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map, then the part of the TSS map that the task ever used."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and (not task.privileged or self.globals.locked_down):
            return -EPERM
        if task.io_bitmap_ptr is NULL:
            block = self.allocate(BitmapBlock)
            if block is NULL:
                return -ENOMEM
            block.bitmap.fill()
            with cpu.preemption_disabled():
                task.io_bitmap_ptr = block
                task.tif_io_bitmap = True
                cpu.tss.io_map_base = IoMapBase.VALID
                self.refresh_tss_limit(cpu)
        with cpu.preemption_disabled():
            task.io_bitmap_ptr.bitmap.change(ports, turn_on)
            longs = task.io_bitmap_ptr.bitmap.extent(at_least=1)
            updated = max(longs, task.io_bitmap_max)
            task.io_bitmap_max = longs
            cpu.tss.bitmap.copy_from(task.io_bitmap_ptr.bitmap, updated)
        return 0

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Copy the following task's map over what the last map user left, or invalidate."""
        if following.tif_io_bitmap:
            cpu.tss.bitmap.copy_from(
                following.io_bitmap_ptr.bitmap, max(cpu.tss.prev_max, following.io_bitmap_max)
            )
            cpu.tss.prev_max = following.io_bitmap_max
            cpu.tss.io_map_base = IoMapBase.VALID
            self.refresh_tss_limit(cpu)
        elif previous.tif_io_bitmap:
            cpu.tss.io_map_base = IoMapBase.INVALID

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
            tsk.io_bitmap_max = 0
            cpu.current.tif_io_bitmap = False
            cpu.tss.io_map_base = IoMapBase.INVALID
        self.free(block)
