"""owner: the map is copied only if the TSS has another one's. It is wrong; the course asks why."""

from __future__ import annotations

from typing import Annotated, ClassVar

from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM, Design
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, Ref


class Owner(Design):
    """The TSS remembers whose map it has."""

    id = "owner"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000}, limit=0x68 + 8192
    )

    class Task(machine_state.Task):
        """A task."""

        has_map: bool = False
        map: Bitmap

    class Tss(machine_state.Tss):
        """The TSS of a CPU."""

        owner: Ref[Owner.Task] = NULL

    class Cpu(machine_state.Cpu):
        """A CPU."""

        current: Ref[Owner.Task] = NULL
        tss: Annotated[Owner.Tss, "this CPU's own TSS"] = NULL

    def bring_up(self, cpu: Cpu) -> None:
        """Deny every port."""
        cpu.tss.bitmap.fill()
        cpu.tss.owner = NULL

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map, then the CPU's copy."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            if not task.has_map:
                task.map.fill()
                task.has_map = True
            task.map.change(ports, turn_on)
            cpu.tss.bitmap.copy_from(task.map)
            cpu.tss.owner = task
            cpu.tss.io_map_base = IoMapBase.VALID
        return 0

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Refuse: this kernel has no iopl."""
        return -EPERM

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Give the CPU the map of the following task."""
        if following.has_map:
            if cpu.tss.owner is not following:
                cpu.tss.bitmap.copy_from(following.map)
                cpu.tss.owner = following
            cpu.tss.io_map_base = IoMapBase.VALID
        else:
            cpu.tss.io_map_base = IoMapBase.INVALID
