"""linux-2.6.8: the whole map of 8192 bytes is copied at every switch to a task that has one."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.families import MAP_EQUALS_CURRENT
from iopermit.designs.linux.base import LAYOUT_2_6_8, EflagsTask, LinuxEflagsIopl, OwnTss
from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Ref


class BitmapBlock(HeapObject):
    """The block of 8192 bytes that a task's map is in."""

    bitmap: Bitmap


class Linux268(LinuxEflagsIopl):
    """The base is valid if and only if current has a map, and then the TSS has that map.

    Right, but slow (B14). A fork that fails late is not unwound: exit_thread() has no task
    argument yet, so the child's block is lost memory (from memory). exec keeps the map.
    """

    id = "linux-2.6.8"
    title = "The whole map is copied at every switch to a task that has one"
    origin = "20040821135516.GA3872@elte.hu"
    family = MAP_EQUALS_CURRENT
    cpu_hotplug: ClassVar[bool] = False  # i386 has it from 2.6.13 on (from memory)
    layout: ClassVar[TssLayout] = LAYOUT_2_6_8

    class Task(EflagsTask):
        """A task."""

        io_bitmap_ptr: Ref[BitmapBlock] = NULL

    class Cpu(machine_state.Cpu):
        """A CPU."""

        current: Ref[Linux268.Task] = NULL
        tss: OwnTss[machine_state.Tss] = NULL

    def bring_up(self, cpu: Cpu) -> None:
        """Do what the static initialiser does, once: base past the limit, map of ones."""
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map, then patch the TSS map or, if the base was invalid, copy all."""
        if not ports.is_valid(self.IO_BITMAP_BITS):
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        if task.io_bitmap_ptr is NULL:
            block = self.allocate(BitmapBlock)
            if block is NULL:
                return -ENOMEM
            block.bitmap.fill()
            task.io_bitmap_ptr = block
        task.io_bitmap_ptr.bitmap.change(ports, turn_on)
        with cpu.preemption_disabled():
            if cpu.tss.io_map_base == IoMapBase.VALID:
                cpu.tss.bitmap.change(ports, turn_on)
            else:
                cpu.tss.bitmap.copy_from(task.io_bitmap_ptr.bitmap)
                cpu.tss.io_map_base = IoMapBase.VALID
        return 0

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Copy all of the following task's map, or invalidate."""
        if previous.io_bitmap_ptr is NULL and following.io_bitmap_ptr is NULL:
            return
        if following.io_bitmap_ptr is not NULL:
            cpu.tss.bitmap.copy_from(following.io_bitmap_ptr.bitmap)
            cpu.tss.io_map_base = IoMapBase.VALID
        else:
            cpu.tss.io_map_base = IoMapBase.INVALID

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Give the child, also a kernel thread, a map of its own."""
        if task.io_bitmap_ptr is not NULL:
            block = self.allocate(BitmapBlock)
            child.io_bitmap_ptr = block
            if block is NULL:
                return -ENOMEM
            block.bitmap.copy_from(task.io_bitmap_ptr.bitmap)
        return 0

    def exit(self, cpu: Cpu, task: Task) -> None:
        """Free the map of the current task and invalidate."""
        if task.io_bitmap_ptr is NULL:
            return
        with cpu.preemption_disabled():
            block = task.io_bitmap_ptr
            self.free(block)
            task.io_bitmap_ptr = NULL
            cpu.tss.io_map_base = IoMapBase.INVALID
