"""A small design that uses every construct of the design language."""

# ruff: noqa: ARG002 - a design fills in fixed entry points and may not need every argument

from typing import Annotated, ClassVar

from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, ENOMEM, Design
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Longs, Range, Ref, Refcount, Sequence

LAYOUT = TssLayout(
    long_bits=64,
    bases={IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000},
    limit=8303,
)


class Block(HeapObject):
    """A map on the heap."""

    refcnt: Refcount = 0
    sequence: Sequence = 0
    bitmap: Bitmap


class Tiny(Design):
    """Copies the whole map at every switch; ioperm does many things in many steps."""

    id = "tiny"
    layout: ClassVar[TssLayout] = LAYOUT
    options: ClassVar[dict[str, str]] = {"shortcut": "one statement instead of two"}
    shortcut: ClassVar[bool] = False

    class Task(machine_state.Task):
        """A task."""

        block: Ref[Block] = NULL
        max: Longs = 0
        counter: Annotated[int, Range(0, 3)] = 0

    class Cpu(machine_state.Cpu):
        """A CPU."""

        visits: Annotated[int, Range(0, 7)] = 0

    def bring_up(self, cpu: Cpu) -> None:
        """Deny every port."""
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Do what a simple kernel does: allocate, change, copy."""
        if not ports.is_valid():
            return -EINVAL
        if task.block is NULL:
            result = self.make_block(cpu, task)
            if result != 0:
                return result
        block = task.block
        with cpu.preemption_disabled():
            block.bitmap.change(ports, turn_on)
            task.max = block.bitmap.extent(at_least=1)
            cpu.tss.bitmap.copy_from(block.bitmap, task.max)
            cpu.tss.io_map_base = IoMapBase.VALID
        return 0

    def make_block(self, cpu: Cpu, task: Task) -> int:
        """Allocate a map of ones."""
        fresh = self.allocate(Block)
        if fresh is NULL:
            return -ENOMEM
        fresh.refcnt = 1
        fresh.bitmap.fill()
        fresh.sequence = self.next_sequence()
        task.block = fresh
        return 0

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Walk through the control flow of the language."""
        total = 0
        for i in range(level):
            if i == 1:
                continue
            total = total + i
            if self.is_large(total):
                break
        if self.shortcut:
            task.counter = 1
        else:
            task.counter = 0
            task.counter += 1
        while task.counter < level:
            task.counter += 1
        if total == 7:
            pass
        elif total == 2:
            cpu.visits = 1
        else:
            cpu.visits = 2
        assert task.counter <= 3, "the counter is small"
        cpu.load_task_register()
        return self.answer(total - 1 if total > 0 else 0)

    def is_large(self, value: int) -> bool:
        """Return whether a number is large."""
        return value > 9

    def answer(self, value: int) -> int:
        """Return an error if there is something to answer."""
        return -value if value else 0

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Copy the map of the following task."""
        if following.block is NULL:
            cpu.tss.io_map_base = IoMapBase.INVALID
            return
        cpu.tss.bitmap.copy_from(following.block.bitmap)
        cpu.tss.io_map_base = IoMapBase.VALID

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Give the child no map."""
        child.block = NULL
        return 0

    def exit(self, cpu: Cpu, task: Task) -> None:
        """Free the map."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        block = task.block
        if block is NULL:
            return
        task.block = NULL
        if self.refcount_dec_and_test(block):
            self.free(block)
