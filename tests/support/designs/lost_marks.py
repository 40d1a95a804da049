"""Two designs whose ioperm() clears a mark that switching may just have set: the map stays away."""

from __future__ import annotations

from typing import ClassVar

from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM, Design
from iopermit.system.machine_state import Cpu, IoMapBase, TssLayout


class Marked(Design):
    """Every switch marks the task that comes; the way back to user mode loads its map."""

    id = "lost-mark"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
    )

    class Task(machine_state.Task):
        """A task with its map in itself."""

        owns_map: bool = False
        reload: bool = False
        map: Bitmap

    def bring_up(self, cpu: Cpu) -> None:
        """Deny every port."""
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Load the map, and only then, where the task can be preempted, clear the mark."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            if not task.owns_map:
                task.map.fill()
                task.owns_map = True
            task.map.change(ports, turn_on)
            cpu.tss.bitmap.copy_from(task.map)
            cpu.tss.io_map_base = IoMapBase.VALID
        task.reload = False
        return 0

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Deny every port until the way back to user mode."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        following.reload = True

    def return_to_user(self, cpu: Cpu, task: Task) -> None:
        """Load the map of a marked task."""
        if task.reload:
            task.reload = False
            if task.owns_map:
                cpu.tss.bitmap.copy_from(task.map)
                cpu.tss.io_map_base = IoMapBase.VALID


class MarkedOnce(Marked):
    """The same with a test first: a store that changes nothing now may undo a later one."""

    id = "lost-mark-once"

    def ioperm(self, cpu: Cpu, task: Marked.Task, ports: PortRange, turn_on: bool) -> int:
        """Clear the mark twice: the second time it has no effect, unless preempted before."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            task.reload = False
            if not task.owns_map:
                task.map.fill()
                task.owns_map = True
            task.map.change(ports, turn_on)
            cpu.tss.bitmap.copy_from(task.map)
            cpu.tss.io_map_base = IoMapBase.VALID
        task.reload = False
        return 0

    def switch_to(self, cpu: Cpu, previous: Marked.Task, following: Marked.Task) -> None:
        """Deny every port until the way back to user mode; mark a task that has no mark."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        if not following.reload:
            following.reload = True
