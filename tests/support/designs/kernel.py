"""A kernel of one design for tests: calls its hooks plainly, on full-size state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from iopermit.designs import find
from iopermit.system.bitmap import Bitmap, Geometry, PortRange
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import HeapObject, Record, declared_fields

if TYPE_CHECKING:
    from iopermit.system.design import Design

UPDATE_AT_EXIT = ["linux-5.5", "linux-5.7", "linux-5.8", "linux-5.8-xen-pv", "linux-6.16"]
"""Designs that write the TSS when a task returns to user mode."""

State: TypeAlias = Any
"""A task or CPU of the class that the design declares, or the design itself."""


def geometry(layout: TssLayout) -> Geometry:
    """Return the geometry of the whole map as one block."""
    return Geometry((0, layout.map_ports // layout.long_bits), layout.long_bits)


class Kernel:
    """CPUs and user tasks under a design. Task i starts on CPU i; system calls run to the end."""

    def __init__(self, cls: type[Design], tasks: int = 3, cpus: int = 2) -> None:
        self.design: Any = cls()
        self.design.services = self
        self.design.globals = cls.Globals()
        self.heap: list[HeapObject] = []
        self.sequence = 0
        self.memory_left = 1000
        self.tasks = [self.make(cls.Task) for _ in range(tasks)]
        self.idle = self.make(cls.Task)
        self.cpus = [self.make(cls.Cpu) for _ in range(cpus)]
        for index, cpu in enumerate(self.cpus):
            cpu.tss = self.make(cls.Tss)
            cpu.current = self.tasks[index] if index < tasks else self.idle
            self.design.bring_up(cpu)

    def make(self, cls: type[Record]) -> State:
        """Return a record with its bitmaps, all ports allowed as in fresh memory."""
        record = cls()
        for declaration in declared_fields(cls):
            if declaration.type is Bitmap:
                setattr(record, declaration.name, Bitmap(geometry(self.design.layout)))
        return record

    # Services.

    def allocate(self, cls: type[HeapObject]) -> HeapObject | None:
        """Return a fresh object while there is memory."""
        if self.memory_left == 0:
            return None
        self.memory_left -= 1
        heap_object: HeapObject = self.make(cls)
        self.heap.append(heap_object)
        return heap_object

    def free(self, heap_object: HeapObject) -> None:
        """Give the object back; ValueError if it was not allocated."""
        self.heap.remove(heap_object)

    def next_sequence(self) -> int:
        """Return 1, 2, 3, ..."""
        self.sequence += 1
        return self.sequence

    # Events.

    def ioperm(self, task: State, first: int, count: int, *, on: bool) -> int:
        """Let the task change its ports on its CPU, and return to user mode."""
        cpu = self.cpu_of(task)
        result: int = self.design.ioperm(cpu, task, PortRange(first, count), on)
        self.return_to_user(cpu)
        return result

    def iopl(self, task: State, level: int) -> int:
        """Let the task change its I/O privilege level, and return to user mode."""
        cpu = self.cpu_of(task)
        result: int = self.design.iopl(cpu, task, level)
        self.return_to_user(cpu)
        return result

    def fork(self, task: State, *, fails: bool = False, kernel_thread: bool = False) -> State:
        """Let the task fork and return the child, whose fork may fail late."""
        cpu = self.cpu_of(task)
        child = self.make(type(task))
        for declaration in declared_fields(type(task)):
            value = getattr(task, declaration.name)
            if declaration.type is Bitmap:
                getattr(child, declaration.name).words[:] = value.words
            else:
                setattr(child, declaration.name, value)
        child.kernel_thread = kernel_thread or task.kernel_thread
        if hasattr(self.design, "fork") and self.design.fork(cpu, task, child) < 0:
            raise MemoryError
        if fails and hasattr(self.design, "fork_failed"):
            self.design.fork_failed(cpu, task, child)
        self.return_to_user(cpu)
        return child

    def exit(self, task: State) -> None:
        """Let the task end and switch to the idle task."""
        cpu = self.cpu_of(task)
        if hasattr(self.design, "exit"):
            self.design.exit(cpu, task)
        self.switch(cpu, self.idle)

    def vm_exit(self, cpu: State) -> None:
        """Let a virtual machine exit on the CPU."""
        cpu.tr_limit_low = True
        self.design.vm_exit(cpu, cpu.current)

    def switch(self, cpu: State, following: State) -> None:
        """Switch the CPU to another task, which is in user mode then."""
        self.design.switch_to(cpu, cpu.current, following)
        cpu.current = following
        self.return_to_user(cpu)

    def fault(self, task: State) -> bool:
        """Let the task fault; return whether its instruction is executed again."""
        again: bool = self.design.general_protection(self.cpu_of(task), task)
        return again

    def return_to_user(self, cpu: State) -> None:
        """Let the current task return to user mode."""
        user = cpu.current is not self.idle and not cpu.current.kernel_thread
        if user and hasattr(self.design, "return_to_user"):
            self.design.return_to_user(cpu, cpu.current)

    # Questions.

    def cpu_of(self, task: State) -> State:
        """Return the CPU that the task runs on."""
        return next(cpu for cpu in self.cpus if cpu.current is task)

    def allowed(self, task: State) -> list[tuple[int, int]]:
        """Return the runs (first, last) of ports of the map that the task may use."""
        cpu = self.cpu_of(task)
        ports = self.design.layout.map_ports
        if self.design.iopl_in_force(cpu, task) == 3:
            return [(0, ports - 1)]
        if not self.design.limit_covers_map(cpu):
            return []
        base = self.design.map_in_force(cpu)
        if base is IoMapBase.ALL:
            return [(0, ports - 1)]
        if base is not IoMapBase.VALID:
            return []
        edges = np.flatnonzero(np.diff(np.pad(cpu.tss.bitmap.allowed().astype(int), 1)))
        return [(int(a), int(b) - 1) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def with_option(name: str, option: str) -> type[Design]:
    """Return the design with one of its options on."""
    design = find(name)
    assert option in design.options
    return type(design.__name__, (design,), {option: True})


def kernel_of(name: str, tasks: int = 3, cpus: int = 1) -> Kernel:
    """Return a kernel of the design with that id."""
    return Kernel(find(name), tasks, cpus)
