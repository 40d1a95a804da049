"""A random design: heap, load at mark, tag object, Globals.boss, Cpu.rank."""

from __future__ import annotations

from typing import Annotated, ClassVar

from iopermit.system import machine_state, records
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM, Design
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import (
    NULL, HeapObject, IoplLevel, Longs, Range, Ref, Refcount, Sequence
)


class Map(HeapObject):
    bits: Bitmap


class Task(machine_state.Task):
    map: Ref[Map] = NULL
    stale: bool = False


class Tss(machine_state.Tss):
    owner: Ref[Map] = NULL


class Cpu(machine_state.Cpu):
    current: Ref[Task] = NULL
    tss: Annotated[Tss, "this CPU's own TSS"] = NULL
    rank: Annotated[int, Range(0, 3)] = 0


class Globals(records.Globals):
    boss: Ref[Task] = NULL


class Random(Design):
    id = "random"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64,
        bases={IoMapBase.VALID: 0x78, IoMapBase.ALL: 0x2080, IoMapBase.INVALID: 0x4088},
        limit=0x4087,
        size=5 * 4096,
    )
    Task = Task
    Tss = Tss
    Cpu = Cpu
    Globals = Globals

    def bring_up(self, cpu: Cpu) -> None:
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        if task.map is NULL:
            new = self.allocate(Map)
            if new is NULL:
                return -ENOMEM
            new.bits.fill()
            task.map = new
        with cpu.preemption_disabled():
            task.map.bits.change(ports, turn_on)
            cpu.tss.owner = NULL
            self.apply(cpu, task)
            task.stale = False
        return 0

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        return -EPERM

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        cpu.tss.io_map_base = IoMapBase.INVALID
        self.globals.boss = following
        following.stale = True

    def return_to_user(self, cpu: Cpu, task: Task) -> None:
        cpu.rank = cpu.rank
        cpu.rank = 1
        if task.stale:
            task.stale = False
            self.apply(cpu, task)

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        child.map = NULL
        if child.kernel_thread:
            return 0
        if task.map is not NULL:
            new = self.allocate(Map)
            if new is NULL:
                self.globals.boss = NULL
                return -ENOMEM
            new.bits.copy_from(task.map.bits)
            child.map = new
        return 0

    def fork_failed(self, cpu: Cpu, task: Task, child: Task) -> None:
        old = child.map
        if old is not NULL:
            child.map = NULL
            self.free(old)

    def exit(self, cpu: Cpu, task: Task) -> None:
        old = task.map
        if old is not NULL:
            with cpu.preemption_disabled():
                task.map = NULL
                if cpu.tss.owner is old:
                    cpu.tss.owner = NULL
                cpu.tss.io_map_base = IoMapBase.INVALID
            self.free(old)

    def apply(self, cpu: Cpu, task: Task) -> None:
        if task.map is not NULL:
            self.load(cpu, task)
        else:
            cpu.tss.io_map_base = IoMapBase.INVALID

    def load(self, cpu: Cpu, task: Task) -> None:
        if cpu.tss.owner is not task.map:
            cpu.tss.bitmap.copy_from(task.map.bits)
            cpu.tss.owner = task.map
        cpu.tss.io_map_base = IoMapBase.VALID