"""A design that copies a part of the map only, whose length it names as a number of longs."""

from __future__ import annotations

from typing import ClassVar

from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM, Design
from iopermit.system.machine_state import Cpu, IoMapBase, TssLayout


class TwoLongs(Design):
    """Every switch copies two longs: a task loses the ports behind them."""

    id = "two-longs"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000}, limit=0x68 + 8192
    )

    class Task(machine_state.Task):
        """A task with its map in itself."""

        has_map: bool = False
        map: Bitmap

    def bring_up(self, cpu: Cpu) -> None:
        """Deny every port."""
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map, then two longs of the CPU's copy."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            if not task.has_map:
                task.map.fill()
                task.has_map = True
            task.map.change(ports, turn_on)
            cpu.tss.bitmap.copy_from(task.map, 2)
            cpu.tss.io_map_base = IoMapBase.VALID
        return 0

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Give the CPU two longs of the map of the following task."""
        if following.has_map:
            cpu.tss.bitmap.copy_from(following.map, 2)
            cpu.tss.io_map_base = IoMapBase.VALID
        else:
            cpu.tss.io_map_base = IoMapBase.INVALID


class ComparedLongs(TwoLongs):
    """A map that ends with its second long is not copied: the task has no port."""

    id = "compared-longs"

    def ioperm(self, cpu: Cpu, task: TwoLongs.Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map, and copy it, unless it ends with its second long."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            if not task.has_map:
                task.map.fill()
                task.has_map = True
            task.map.change(ports, turn_on)
            longs = task.map.extent()
            if longs != 2:
                cpu.tss.bitmap.copy_from(task.map)
            cpu.tss.io_map_base = IoMapBase.VALID
        return 0

    def switch_to(self, cpu: Cpu, previous: TwoLongs.Task, following: TwoLongs.Task) -> None:
        """Give the CPU the map of the following task."""
        if following.has_map:
            cpu.tss.bitmap.copy_from(following.map)
            cpu.tss.io_map_base = IoMapBase.VALID
        else:
            cpu.tss.io_map_base = IoMapBase.INVALID


class RightLongs(ComparedLongs):
    """The whole map is copied, in one way if it ends before its third long, or else in another."""

    id = "right-longs"

    def ioperm(self, cpu: Cpu, task: TwoLongs.Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map, then all of the CPU's copy."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            if not task.has_map:
                task.map.fill()
                task.has_map = True
            task.map.change(ports, turn_on)
            longs = task.map.extent()
            if longs <= 2:
                cpu.tss.bitmap.fill()
            cpu.tss.bitmap.copy_from(task.map)
            cpu.tss.io_map_base = IoMapBase.VALID
        return 0


class IsaLongs(RightLongs):
    """The same for a kernel whose map ends with the ISA ports, as that of Linux 2.4."""

    id = "isa-longs"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000}, limit=0x68 + 128,
        map_ports=1024,
    )  # fmt: skip
