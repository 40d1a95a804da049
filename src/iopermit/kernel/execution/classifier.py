"""Decides for each access of kernel code whether something else may happen before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopermit.kernel.execution.scheduling_points import ObservedAccesses, SchedulingPoints
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.kernel.state.guest_memory import GuestMemory

Point = tuple[bool, bool]
"""Whether an access is a point for this CPU's tasks, and for other CPUs."""
_NONE: Point = (False, False)


@dataclass
class Actor:
    """On whose behalf a transition is executed.

    Attributes:
        cpu: which CPU executes it.
        slot: the task whose system call it is, or -1 for a context switch.
        involved: further task slots that it is about: a child, the tasks of a switch.
        privileged: whether the task has CAP_SYS_RAWIO.
    """

    cpu: int
    slot: int
    involved: frozenset[int] = frozenset()
    privileged: bool = True


@dataclass
class HeapUse:
    """The heap during a transition.

    Attributes:
        used: sizes of the objects in use, by slot.
        dangling: free slots that something still points to.
        shared: slots that others than the running context refer to.
        plan: choices of the allocations, in order: a slot, or -1 for a failure.
        options: for each allocation made, what could have been chosen.
    """

    used: dict[int, int]
    dangling: frozenset[int] = frozenset()
    shared: frozenset[int] = frozenset()
    plan: Sequence[int] = ()
    options: list[list[int]] = field(default_factory=list)


class Classifier:
    """Knows the points, and takes note of accesses that may make further ones.

    Attributes:
        points: the points in use.
        seen: all accesses observed.
        actor, heap: of the running transition.
        foreign: whether the transition accessed what it should have nothing to do with.
        touched_heap: whether it accessed the heap.
        counter: address of the counter of sequence numbers: fresh numbers are alike, whoever takes
            one first.
    """

    def __init__(self, memory: GuestMemory) -> None:
        """Classify accesses to the machine's memory."""
        self._memory = memory
        self._current_task = memory.layout.current_task
        self._data_start = memory.emulator.image.data_start
        self.points, self.seen = SchedulingPoints(), ObservedAccesses()
        self.actor, self.heap = Actor(0, 0), HeapUse({})
        self.foreign = self.touched_heap = False
        self.counter: int | None = None

    def classify(self, address: int, size: int, value: int, *, write: bool) -> Point:
        """Return whether an access is a point, and take note of it."""
        if address >= at.HEAP:
            return self._heap_access(address, write=write)
        if address >= at.TASK:
            return self._task_access(address, size, value, write=write)
        if address >= at.PER_CPU:
            return self._per_cpu_access(address, write=write)
        if address == self.counter:
            return _NONE
        offset = (address - self._data_start) & ~7
        if write:
            self.seen.data.add(offset)
        point = offset in self.points.data
        return point, point

    def _heap_access(self, address: int, *, write: bool) -> Point:
        self.touched_heap = True
        slot, offset = divmod(address - at.HEAP, at.HEAP_STRIDE)
        if slot not in self.heap.shared:
            return _NONE
        if write:
            self.seen.shared.add(offset & ~7)
        point = offset & ~7 in self.points.shared
        return point, point

    def _task_access(self, address: int, size: int, value: int, *, write: bool) -> Point:
        slot, offset = divmod(address - at.TASK, at.TASK_STRIDE)
        actor = self.actor
        own, involved = slot == actor.slot, slot in actor.involved
        if own or not involved or actor.slot < 0:
            self.seen.tasks.add(offset, size, write=write, own=own)
        if not own and involved:
            # The tasks of a switch do not run elsewhere; a child that is being made neither.
            return _NONE
        self.foreign = self.foreign or not own
        if not write:
            return offset & ~7 in self.points.task_reads, False
        point = offset & ~7 in self.points.task_writes and self._changes(address, size, value)
        return point, False

    def _changes(self, address: int, size: int, value: int) -> bool:
        """Return whether a store changes memory; one that does not is like a read."""
        mask = (1 << 8 * size) - 1
        return int.from_bytes(self._memory.emulator.read(address, size), "little") != value & mask

    def _per_cpu_access(self, address: int, *, write: bool) -> Point:
        cpu, offset = divmod(address - at.PER_CPU, at.PER_CPU_STRIDE)
        if cpu != self.actor.cpu:
            self.foreign = True
            self.seen.remote.add(offset & ~7)
            return True, True
        # The current task is the same wherever the task itself reads it.
        constant = not write and offset == self._current_task
        return not constant, offset & ~7 in self.points.remote
