"""Designs that take a lower I/O privilege level for the one that opens every port."""

from __future__ import annotations

from typing import Annotated, ClassVar

from iopermit.system import machine_state
from iopermit.system.bitmap import PortRange
from iopermit.system.design import EPERM, Design
from iopermit.system.machine_state import Cpu, IoMapBase, TssLayout
from iopermit.system.records import Range


class Levels(Design):
    """Has no maps; a level opens every port if it is high enough."""

    id = "levels"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
    )
    lowest: ClassVar[int] = 3

    class Task(machine_state.Task):
        """A task with its level."""

        level: Annotated[int, Range(0, 3)] = 0

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Refuse."""
        return -EPERM

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Keep the level; to raise it needs the privilege."""
        if level > task.level and not task.privileged:
            return -EPERM
        task.level = level
        return 0

    def iopl_in_force(self, cpu: Cpu, task: Task) -> int:
        """Return the level of user code: the highest, or none."""
        return 3 if task.level >= self.lowest else 0

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Deny every port that the level does not open."""
        cpu.tss.io_map_base = IoMapBase.INVALID


class FromOne(Levels):
    """Opens every port at level 1."""

    id = "from-one"
    lowest: ClassVar[int] = 1


class FromTwo(Levels):
    """Opens every port at level 2."""

    id = "from-two"
    lowest: ClassVar[int] = 2
