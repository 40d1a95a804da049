"""A random design: shared, load at fault, tag sequence, iopl flag, form 4."""

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
    refcnt: Refcount = 0
    sequence: Sequence = 0


class Task(machine_state.Task):
    map: Ref[Map] = NULL
    raw: bool = False


class Tss(machine_state.Tss):
    sequence: Sequence = 0


class Cpu(machine_state.Cpu):
    current: Ref[Task] = NULL
    tss: Annotated[Tss, "this CPU's own TSS"] = NULL


class Globals(records.Globals):
    pass


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
            new.refcnt = 1
            task.map = new
        old = task.map
        if old.refcnt > 1:
            copy = self.allocate(Map)
            if copy is NULL:
                return -ENOMEM
            copy.refcnt = 1
            copy.bits.copy_from(old.bits)
            task.map = copy
            if self.refcount_dec_and_test(old):
                self.free(old)
        with cpu.preemption_disabled():
            task.map.bits.change(ports, turn_on)
            task.map.sequence = self.next_sequence()
            cpu.tss.io_map_base = IoMapBase.INVALID
        return 0

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        if level > 3:
            return -EINVAL
        if level == 3 and not task.privileged:
            return -EPERM
        task.raw = level == 3
        return 0

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        cpu.tss.io_map_base = IoMapBase.INVALID

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        child.map = NULL
        if child.kernel_thread:
            return 0
        if task.map is not NULL:
            task.map.refcnt += 1
            child.map = task.map
        return 0

    def fork_failed(self, cpu: Cpu, task: Task, child: Task) -> None:
        old = child.map
        if old is not NULL:
            child.map = NULL
            if self.refcount_dec_and_test(old):
                self.free(old)

    def exit(self, cpu: Cpu, task: Task) -> None:
        old = task.map
        if old is not NULL:
            with cpu.preemption_disabled():
                task.map = NULL
                cpu.tss.io_map_base = IoMapBase.INVALID
            if self.refcount_dec_and_test(old):
                self.free(old)

    def execve(self, cpu: Cpu, task: Task) -> None:
        task.raw = False

    def general_protection(self, cpu: Cpu, task: Task) -> bool:
        with cpu.preemption_disabled():
            if cpu.tss.io_map_base == IoMapBase.INVALID:
                if task.map is not NULL:
                    self.apply(cpu, task)
                    return True
        return False

    def apply(self, cpu: Cpu, task: Task) -> None:
        if task.map is not NULL:
            self.load(cpu, task)
        else:
            cpu.tss.io_map_base = IoMapBase.INVALID

    def load(self, cpu: Cpu, task: Task) -> None:
        if cpu.tss.sequence != task.map.sequence:
            cpu.tss.bitmap.copy_from(task.map.bits)
            cpu.tss.sequence = task.map.sequence
        cpu.tss.io_map_base = IoMapBase.VALID

    def iopl_in_force(self, cpu: Cpu, task: Task) -> int:
        return 3 if task.raw else 0