"""Designs that serve calls which gain ports to everybody, or to who has the privilege only."""

from __future__ import annotations

from typing import ClassVar

from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM, Design
from iopermit.system.machine_state import Cpu, IoMapBase, TssLayout


class Governed(Design):
    """Every task has a map in itself, which each switch loads; the level is in the task."""

    id = "governed"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
    )

    class Task(machine_state.Task):
        """A task with its map in itself."""

        owns_map: bool = False
        full: bool = False
        map: Bitmap

    def bring_up(self, cpu: Cpu) -> None:
        """Deny every port."""
        cpu.tss.bitmap.fill()

    def may(self, task: Task) -> bool:
        """Return whether a task may gain ports by ioperm()."""
        return task.privileged

    def may_raise(self, task: Task) -> bool:
        """Return whether a task may raise its level."""
        return task.privileged

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Change the map and load it."""
        if not ports.is_valid():
            return -EINVAL
        allowed = self.may(task)
        if turn_on and not allowed:
            return -EPERM
        with cpu.preemption_disabled():
            if not task.owns_map:
                task.map.fill()
                task.owns_map = True
            task.map.change(ports, turn_on)
            self.load(cpu, task)
        return 0

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Remember whether the level opens every port."""
        allowed = self.may_raise(task)
        if level == 3 and not task.full and not allowed:
            return -EPERM
        task.full = level == 3
        return 0

    def iopl_in_force(self, cpu: Cpu, task: Task) -> int:
        """Return the level of user code."""
        return 3 if task.full else 0

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Load the map of the next task."""
        self.load(cpu, following)

    def load(self, cpu: Cpu, task: Task) -> None:
        """Load a map, or deny every port."""
        if task.owns_map:
            cpu.tss.bitmap.copy_from(task.map)
            cpu.tss.io_map_base = IoMapBase.VALID
        else:
            cpu.tss.io_map_base = IoMapBase.INVALID


class ForEverybody(Governed):
    """Lets every task have ports by ioperm()."""

    id = "for-everybody"

    def may(self, task: Governed.Task) -> bool:
        """Return true."""
        return True


class LevelForEverybody(Governed):
    """Lets every task raise its level."""

    id = "level-for-everybody"

    def may_raise(self, task: Governed.Task) -> bool:
        """Return true."""
        return True


class Ungoverned(ForEverybody):
    """Is of a kernel that has no such privilege."""

    id = "ungoverned"
    ioperm_needs_privilege: ClassVar[bool] = False
