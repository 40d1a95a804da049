"""linux-2.6.9: the TSS remembers whose map it holds (owner) and how far it is dirty (max)."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.families import STALE_MAP_AND_TAG
from iopermit.designs.linux.base import LAYOUT_2_6_9, EflagsTask, LinuxEflagsIopl, OwnTss
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Longs, Ref


class BitmapBlock(HeapObject):
    """The block of 8192 bytes that a task's map is in."""

    bitmap: Bitmap


class Linux269(LinuxEflagsIopl):
    """Switching back to the owner of the TSS map copies nothing.

    ioperm copies only max(new max, own old max) and then lowers the dirty mark; the owner is
    per CPU, so a task that changed its map elsewhere, or a new task at the owner's address,
    passes for the owner: B15. Whether 2.6.9 was released like this is unverified. A fork that
    fails late is not unwound, as in 2.6.8 (from memory). exec keeps the map.
    """

    id = "linux-2.6.9"
    title = "Owner cache: switching back to the owner of the TSS map copies nothing"
    origin = "dd826030bd50566ddd21df8a0655076349bdd834"
    family = STALE_MAP_AND_TAG
    cpu_hotplug: ClassVar[bool] = False  # i386 has it from 2.6.13 on (from memory)
    layout: ClassVar[TssLayout] = LAYOUT_2_6_9

    class Task(EflagsTask):
        """A task."""

        io_bitmap_ptr: Ref[BitmapBlock] = NULL
        io_bitmap_max: Longs = 0
        """Longs up to the last one with an allowed port; 0 only without a map."""

    class Tss(machine_state.Tss):
        """The TSS of a CPU."""

        max: Longs = 0
        """Longs that may have allowed ports."""
        owner: Ref[Linux269.Task] = NULL
        """The task whose map this is; only its address is used."""

    class Cpu(machine_state.Cpu):
        """A CPU."""

        current: Ref[Linux269.Task] = NULL
        tss: OwnTss[Linux269.Tss] = NULL

    def bring_up(self, cpu: Cpu) -> None:
        """Do what the static initialiser does, once: base past the limit, map of ones."""
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map, copy the part it ever used, and become the owner."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        if task.io_bitmap_ptr is NULL:
            block = self.allocate(BitmapBlock)
            if block is NULL:
                return -ENOMEM
            block.bitmap.fill()
            task.io_bitmap_ptr = block
        with cpu.preemption_disabled():
            task.io_bitmap_ptr.bitmap.change(ports, turn_on)
            longs = task.io_bitmap_ptr.bitmap.extent(at_least=1)
            updated = max(longs, task.io_bitmap_max)
            task.io_bitmap_max = longs
            cpu.tss.bitmap.copy_from(task.io_bitmap_ptr.bitmap, updated)
            cpu.tss.max = longs
            cpu.tss.owner = task
            cpu.tss.io_map_base = IoMapBase.VALID
        return 0

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Copy the following task's map unless it is the owner, or invalidate and keep the map."""
        if previous.io_bitmap_ptr is NULL and following.io_bitmap_ptr is NULL:
            return
        if following.io_bitmap_ptr is NULL:
            cpu.tss.io_map_base = IoMapBase.INVALID
        elif following is cpu.tss.owner:
            cpu.tss.io_map_base = IoMapBase.VALID
        else:
            cpu.tss.bitmap.copy_from(
                following.io_bitmap_ptr.bitmap, max(cpu.tss.max, following.io_bitmap_max)
            )
            cpu.tss.max = following.io_bitmap_max
            cpu.tss.owner = following
            cpu.tss.io_map_base = IoMapBase.VALID

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Give the child, also a kernel thread, a map of its own."""
        if task.io_bitmap_ptr is not NULL:
            block = self.allocate(BitmapBlock)
            child.io_bitmap_ptr = block
            if block is NULL:
                child.io_bitmap_max = 0
                return -ENOMEM
            block.bitmap.copy_from(task.io_bitmap_ptr.bitmap)
        return 0

    def exit(self, cpu: Cpu, task: Task) -> None:
        """Free the map of the current task and clean the TSS of this CPU, of no other CPU."""
        if task.io_bitmap_ptr is NULL:
            return
        with cpu.preemption_disabled():
            block = task.io_bitmap_ptr
            self.free(block)
            task.io_bitmap_ptr = NULL
            cpu.tss.bitmap.fill(cpu.tss.max)
            task.io_bitmap_max = 0
            cpu.tss.owner = NULL
            cpu.tss.max = 0
            cpu.tss.io_map_base = IoMapBase.INVALID
