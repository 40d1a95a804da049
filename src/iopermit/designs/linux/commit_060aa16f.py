"""linux-060aa16f: maps get sequence numbers, which the TSS remembers; and a variant."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.families import STALE_MAP_AND_TAG
from iopermit.designs.linux.base import (
    LAYOUT_PREV_SEQUENCE,
    LimitCpu,
    LinuxThreadIopl,
    OwnTss,
    ThreadIoplTask,
)
from iopermit.designs.linux.regset import IoBitmapRegset
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Longs, Ref, Sequence


class IoBitmap(HeapObject):
    """``struct io_bitmap``: a task's map."""

    sequence: Sequence = 0
    """Tells these contents from all others, except in a child that has not changed its copy."""
    max: Longs = 0
    """Longs up to the last one with an allowed port."""
    bitmap: Bitmap


class Linux060aa16f(IoBitmapRegset, LinuxThreadIopl):
    """Switching to the task whose map the TSS already has copies nothing.

    ioperm reads the old max through a pointer that it has not set yet: B3. ioperm writes the
    TSS as in ecc7e37d (B1, B2') and does not touch prev_sequence.
    """

    id = "linux-060aa16f"
    title = "A sequence number says whether the TSS already has the map (V3 11/20)"
    origin = "060aa16fdb7c5078a4159a76e5dc87d6a493af9b"
    family = STALE_MAP_AND_TAG
    layout: ClassVar[TssLayout] = LAYOUT_PREV_SEQUENCE

    class Task(ThreadIoplTask):
        """A task."""

        io_bitmap: Ref[IoBitmap] = NULL

    class Tss(machine_state.Tss):
        """The TSS of a CPU."""

        prev_sequence: Sequence = 0
        """Sequence number of the map that a switch copied last."""
        prev_max: Longs = 0
        """Longs that the last map user may have left with allowed ports."""

    class Cpu(LimitCpu):
        """A CPU."""

        current: Ref[Linux060aa16f.Task] = NULL
        tss: OwnTss[Linux060aa16f.Tss] = NULL

    def bring_up(self, cpu: Cpu) -> None:
        """Do tss_setup_io_bitmap(), which cpu_init() calls whenever the CPU comes up."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        cpu.tss.prev_max = 0
        cpu.tss.prev_sequence = 0
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map, then the part of the TSS map that the task ever used."""
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
        with cpu.preemption_disabled():
            iobm.bitmap.change(ports, turn_on)
            longs = iobm.bitmap.extent(at_least=1)
            updated = max(longs, self.old_max(task))
            iobm.max = longs
            iobm.sequence = self.next_sequence()
            task.io_bitmap = iobm
            task.tif_io_bitmap = True
            cpu.tss.bitmap.copy_from(iobm.bitmap, updated)
            cpu.tss.prev_max = longs
            cpu.tss.io_map_base = IoMapBase.VALID
            self.refresh_tss_limit(cpu)
        return 0

    def old_max(self, task: Task) -> int:
        """Return the size of the task's map so far; in the first call there is no map (B3)."""
        return task.io_bitmap.max

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Copy the following task's map if the TSS holds another one, or invalidate."""
        if following.tif_io_bitmap:
            iobm = following.io_bitmap
            if cpu.tss.prev_sequence != iobm.sequence:
                cpu.tss.bitmap.copy_from(iobm.bitmap, max(cpu.tss.prev_max, iobm.max))
                cpu.tss.prev_max = iobm.max
                cpu.tss.prev_sequence = iobm.sequence
            cpu.tss.io_map_base = IoMapBase.VALID
            self.refresh_tss_limit(cpu)
        elif previous.tif_io_bitmap:
            cpu.tss.io_map_base = IoMapBase.INVALID

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Duplicate the map for a user child, with its number: the contents are the same."""
        child.io_bitmap = NULL
        if child.kernel_thread:
            return 0
        if task.tif_io_bitmap:
            iobm = self.allocate(IoBitmap)
            if iobm is NULL:
                return -ENOMEM
            iobm.sequence = task.io_bitmap.sequence
            iobm.max = task.io_bitmap.max
            iobm.bitmap.copy_from(task.io_bitmap.bitmap)
            child.io_bitmap = iobm
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
        iobm = tsk.io_bitmap
        if iobm is NULL:
            return
        with cpu.preemption_disabled():
            tsk.io_bitmap = NULL
            cpu.current.tif_io_bitmap = False
            cpu.tss.io_map_base = IoMapBase.INVALID
        self.free(iobm)


class Linux060aa16fNullCheck(Linux060aa16f):
    """With the first call repaired, to check the rest of the design."""

    id = "linux-060aa16f+nullcheck"
    title = "Sequence number, with a first ioperm call that does not crash"
    origin = "derived from 060aa16fdb7c5078a4159a76e5dc87d6a493af9b; never posted"

    def old_max(self, task: Linux060aa16f.Task) -> int:
        """Return the size of the task's map so far, 0 in the first call."""
        return 0 if task.io_bitmap is NULL else task.io_bitmap.max
