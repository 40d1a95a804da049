"""Designs in which what the processor consults is computed, or shared between CPUs."""

from __future__ import annotations

from typing import ClassVar

from iopermit.system import machine_state, records
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM, Design, Own
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import Sequence

LAYOUT = TssLayout(
    long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
)


class OpenCpu(Design):
    """The first refused call opens the CPU, by a conditional in what the processor consults."""

    id = "open-cpu"
    layout: ClassVar[TssLayout] = LAYOUT

    class Cpu(machine_state.Cpu):
        """A CPU that can be open to everybody."""

        calls: bool = False
        locked: bool = False

    def iopl_in_force(self, cpu: Own, task: Own) -> int:
        """Give level 3 on an open CPU."""
        return 3 if cpu.calls and not cpu.locked else 0

    def bring_up(self, cpu: Own) -> None:
        """Deny every port."""
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Own, task: Own, ports: PortRange, turn_on: bool) -> int:
        """Refuse, and open the CPU."""
        cpu.calls = True
        return -EPERM

    def iopl(self, cpu: Own, task: Own, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Own, previous: Own, following: Own) -> None:
        """Deny every port."""
        cpu.tss.io_map_base = IoMapBase.INVALID


class OneBaseForAll(Design):
    """One base for all CPUs: a system call here exposes the stale map over there."""

    id = "one-base-for-all"
    layout: ClassVar[TssLayout] = LAYOUT

    class Globals(records.Globals):
        """What all CPUs share."""

        base: IoMapBase = IoMapBase.INVALID

    class Task(machine_state.Task):
        """A task with its map in itself."""

        map: Bitmap
        owns_map: bool = False
        number: Sequence = 0

    class Tss(machine_state.Tss):
        """A TSS that knows which map it holds."""

        number: Sequence = 0

    def map_in_force(self, cpu: Own) -> IoMapBase:
        """Give the base of all CPUs."""
        return self.globals.base  # type: ignore[no-any-return]  # a design's own record

    def bring_up(self, cpu: Own) -> None:
        """Deny every port."""
        cpu.tss.bitmap.fill()

    def load(self, cpu: Own, task: Own) -> None:
        """Copy the task's map under a new number and make it valid."""
        task.number = self.next_sequence()
        cpu.tss.number = task.number
        cpu.tss.bitmap.copy_from(task.map)
        self.globals.base = IoMapBase.VALID

    def ioperm(self, cpu: Own, task: Own, ports: PortRange, turn_on: bool) -> int:
        """Change the map and load it."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            if not task.owns_map:
                task.map.fill()
                task.owns_map = True
            task.map.change(ports, turn_on)
            self.load(cpu, task)
        return 0

    def iopl(self, cpu: Own, task: Own, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Own, previous: Own, following: Own) -> None:
        """Deny every port, everywhere."""
        self.globals.base = IoMapBase.INVALID

    def general_protection(self, cpu: Own, task: Own) -> bool:
        """Load the map of a task that has one."""
        with cpu.preemption_disabled():
            if task.owns_map:
                self.load(cpu, task)
                return True
        return False
