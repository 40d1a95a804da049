"""A system that counts accesses to the TSS and to the bitmaps of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final

from iopermit.system.bitmap import Bitmap, Geometry, PortRange, Words
from iopermit.system.concretion import Concretion
from iopermit.system.design import Design
from iopermit.system.execution import Thread
from iopermit.system.heap import bitmaps
from iopermit.system.machine_state import Cpu, Tss
from iopermit.system.position import Steps
from iopermit.system.records import HeapObject, Record
from iopermit.system.running.endless import ended
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System

BASE_BYTES: Final = 2
"""Bytes of the I/O map base field (SDM vol. 3, "Task-State Segment")."""


@dataclass(frozen=True)
class Cost:
    """What kernel code did.

    What a kernel remembers beside the hardware's part of the TSS (how far the map is dirty, whose
    it is) is not counted.
    """

    map_written: int = 0
    """Bytes of the TSS bitmap that were written, also with the value that they had."""
    map_read: int = 0
    """Bytes of tasks' bitmaps that were read: copied, searched, or changed in part of a long."""
    base_stores: int = 0
    """Stores to the I/O map base, 2 bytes each, also of the value that it had."""
    task_register_loads: int = 0
    """Executions of LTR."""

    @property
    def tss_written(self) -> int:
        """Bytes of the TSS that were written: bitmap and I/O map base."""
        return self.map_written + BASE_BYTES * self.base_stores

    def __add__(self, other: Cost) -> Cost:
        """Return both together."""
        names = [field.name for field in fields(self)]
        return Cost(**{name: getattr(self, name) + getattr(other, name) for name in names})


class AccessCounter:
    """What was counted since the last start."""

    def __init__(self) -> None:
        """Start at zero."""
        self.cost = Cost()

    def add(self, cost: Cost) -> None:
        """Count something."""
        self.cost += cost


class CountedBitmap(Bitmap):
    """A bitmap that counts, in bytes of whole longs, what its operations read and write."""

    def __init__(
        self, geometry: Geometry, words: Words, *, counter: AccessCounter, in_tss: bool
    ) -> None:
        """Count accesses to `words`; what is read in a TSS and written elsewhere is of no interest.

        Args:
            geometry: how many longs there are.
            words: the memory.
            counter: receives the counts.
            in_tss: whether this is the bitmap in a TSS, and not that of a task.
        """
        super().__init__(geometry, words)
        self._counter, self._in_tss = counter, in_tss

    def copy_from(self, source: Bitmap, longs: int | None = None) -> None:
        """Copy; the source is read as far, and this map written."""
        super().copy_from(source, longs)
        count = self.geometry.real_longs if longs is None else longs
        if isinstance(source, CountedBitmap):
            source._read(count)  # noqa: SLF001 - the same class
        self._write(count)

    def fill(self, longs: int | None = None) -> None:
        """Deny ports; nothing is read."""
        super().fill(longs)
        self._write(self.geometry.real_longs if longs is None else longs)

    def change(self, ports: PortRange, turn_on: bool) -> None:
        """Change bits, in each long that the range touches."""
        super().change(ports, turn_on)
        bits = self.geometry.long_bits
        count = (ports.first + ports.count - 1) // bits - ports.first // bits + 1
        self._read(count)
        self._write(count)

    def extent(self, at_least: int = 0) -> int:
        """Search all longs, as the kernels do."""
        self._read(self.geometry.real_longs)
        return super().extent(at_least)

    def _read(self, longs: int) -> None:
        if not self._in_tss:
            self._counter.add(Cost(map_read=self._bytes(longs)))

    def _write(self, longs: int) -> None:
        if self._in_tss:
            self._counter.add(Cost(map_written=self._bytes(longs)))

    def _bytes(self, longs: int) -> int:
        return longs * self.geometry.long_bits // 8


class CountingSystem(System):
    """A system without stepper whose bitmaps, I/O map bases and task registers are counted."""

    def __init__(self, design: type[Design], scenario: Scenario, concretion: Concretion) -> None:
        """Bring the system up, then put counters in place. Raises KernelCrash as System does."""
        self.counter = AccessCounter()
        super().__init__(design, scenario, concretion)
        for processor in self.processors:
            _replace_bitmaps(processor.tss, self.counter, in_tss=True)
            _intercept(processor.tss, _counting_base_stores(self.counter))
            _intercept(processor.record, _counting_loads(self.counter))
        for thread in self.threads:
            _replace_bitmaps(thread.record, self.counter, in_tss=False)

    def count(self, action: Callable[[], object]) -> Cost:
        """Do something and return what it cost."""
        self.counter.cost = Cost()
        action()
        return self.counter.cost

    def hook(self, name: str, *arguments: object) -> Steps:
        """Run a hook whole. Raises EndlessHookError if it does not end."""
        yield from ()
        return ended(getattr(self.design, name), *arguments) if self.has_hook(name) else 0

    def allocate(self, cls: type[HeapObject]) -> HeapObject | None:
        """Allocate an object, and count its bitmaps."""
        allocated = super().allocate(cls)
        if allocated is not None:
            _replace_bitmaps(allocated, self.counter, in_tss=False)
        return allocated

    def start_child(self, parent: Thread, slot: int) -> Thread:
        """Take a task slot, and count its bitmaps."""
        child = super().start_child(parent, slot)
        _replace_bitmaps(child.record, self.counter, in_tss=False)
        return child


def _replace_bitmaps(record: Record, counter: AccessCounter, *, in_tss: bool) -> None:
    """Let bitmaps with the same memory, which count, take the place of a record's bitmaps."""
    for name, bitmap in bitmaps(record).items():
        counted = CountedBitmap(bitmap.geometry, bitmap.words, counter=counter, in_tss=in_tss)
        setattr(record, name, counted)


def _intercept(record: Record, methods: Mapping[str, Any]) -> None:
    """Override methods of one record."""
    cls = type(record)
    counting = type(cls.__name__, (cls,), {"__module__": cls.__module__, **methods})
    object.__setattr__(record, "__class__", counting)


def _counting_base_stores(counter: AccessCounter) -> Mapping[str, Any]:
    def set_field(self: Tss, name: str, value: object) -> None:
        if name == "io_map_base":
            counter.add(Cost(base_stores=1))
        super(type(self), self).__setattr__(name, value)

    return {"__setattr__": set_field}


def _counting_loads(counter: AccessCounter) -> Mapping[str, Any]:
    def load_task_register(self: Cpu) -> None:
        counter.add(Cost(task_register_loads=1))
        Cpu.load_task_register(self)

    return {"load_task_register": load_task_register}
