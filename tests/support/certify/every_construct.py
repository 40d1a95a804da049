"""A design that holds and uses every construct of the design language, for the checker's tests."""

# ruff: noqa: ARG002, TC001 - as in designs

from __future__ import annotations

from typing import Annotated, ClassVar

from iopermit.designs.linux.base import OwnTss
from iopermit.system import machine_state, records
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, EPERM, Design
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import (
    NULL,
    HeapObject,
    Longs,
    Range,
    Ref,
    Refcount,
    Sequence,
)

LIMIT = 2


class Block(HeapObject):
    """A map on the heap."""

    refcnt: Refcount = 0
    sequence: Sequence = 0
    bitmap: Bitmap


class EveryConstruct(Design):
    """Every task has a map of its own, copied at every switch; a call does much besides."""

    id = "every-construct"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000}, limit=8303
    )
    options: ClassVar[dict[str, str]] = {"shortcut": "one statement instead of two"}
    shortcut: ClassVar[bool] = False

    class Task(machine_state.Task):
        """A task."""

        block: Ref[Block] = NULL
        max: Longs = 0
        counter: Annotated[int, Range(0, 3)] = 0

    class Tss(machine_state.Tss):
        """A TSS."""

        sequence: Sequence = 0

    class Cpu(machine_state.Cpu):
        """A CPU."""

        tss: OwnTss[EveryConstruct.Tss] = NULL
        last: Ref[EveryConstruct.Task] = NULL

    class Globals(records.Globals):
        """State that exists once."""

        calls: Annotated[int, Range(0, 1)] = 0

    def bring_up(self, cpu: Cpu) -> None:
        """Deny every port."""
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Give the task a map of its own, change it, and copy it to the TSS."""
        if not ports.is_valid() or (turn_on and not task.privileged):
            return -EPERM if ports.is_valid() else -EINVAL
        error = 0
        if task.block is NULL:
            error = self.make_block(task)
        if error < 0:
            return error
        block = task.block
        with cpu.preemption_disabled():
            block.bitmap.change(ports, turn_on)
            task.max = block.bitmap.extent(at_least=1)
            block.sequence = self.next_sequence()
            cpu.tss.sequence = block.sequence
            cpu.tss.bitmap.copy_from(block.bitmap)
            cpu.tss.io_map_base = IoMapBase.VALID
        return 0

    def make_block(self, task: Task) -> int:
        """Allocate a map of ones."""
        fresh = self.allocate(Block)
        if fresh is NULL:
            return -ENOMEM
        fresh.refcnt = 1
        fresh.refcnt += 1
        fresh.bitmap.fill()
        if self.refcount_dec_and_test(fresh):
            self.free(fresh)
        else:
            task.block = fresh
        return 0

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Walk through the control flow of the language, and refuse."""
        total = 0
        for i in range(level):
            if i == 1:
                continue
            total = max(total, i)
            if self.is_large(total):
                break
        if self.shortcut:
            task.counter = 1
        else:
            task.counter = 0
            task.counter += 1
        while task.counter < min(level, LIMIT):
            task.counter += 1
        while True:
            if task.counter == 0:
                break
            task.counter -= 1
        if total == 1:
            pass
        elif total == LIMIT:
            self.globals.calls = 1
        else:
            self.globals.calls = 0
        assert task.counter <= 0, "counted down"
        cpu.load_task_register()
        return self.refused(cpu)

    def is_large(self, value: int) -> bool:
        """Return whether a number is large."""
        return value > max(1, LIMIT - 1)

    def refused(self, cpu: Cpu) -> int:
        """Return an error, after a look at the task that ran before."""
        before = cpu.last
        if before is not NULL and before is not cpu.current:
            return -EPERM
        return -EINVAL

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Copy the map of the following task."""
        cpu.last = previous
        cpu.last = NULL
        if following.block is NULL:
            cpu.tss.io_map_base = IoMapBase.INVALID
            return
        if cpu.tss.sequence != following.block.sequence:
            cpu.tss.bitmap.copy_from(following.block.bitmap, max(following.max, 1))
            cpu.tss.bitmap.copy_from(following.block.bitmap)
        cpu.tss.sequence = following.block.sequence
        cpu.tss.io_map_base = IoMapBase.VALID

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Give the child a copy of the map."""
        child.block = NULL
        parent = task.block
        if parent is NULL or child.kernel_thread:
            return 0
        own = self.allocate(Block)
        if own is NULL:
            return -ENOMEM
        own.refcnt = 1
        own.sequence = self.next_sequence()
        own.bitmap.copy_from(parent.bitmap)
        child.block = own
        return 0

    def fork_failed(self, cpu: Cpu, task: Task, child: Task) -> None:
        """Take the child's map back."""
        self.drop(child)

    def exit(self, cpu: Cpu, task: Task) -> None:
        """Deny every port, and free the map."""
        with cpu.preemption_disabled():
            cpu.tss.io_map_base = IoMapBase.INVALID
            self.drop(task)

    def drop(self, owner: Task) -> None:
        """Free a task's map, if it has one."""
        block = owner.block
        if block is NULL:
            return
        owner.block = NULL
        if self.refcount_dec_and_test(block):
            self.free(block)
