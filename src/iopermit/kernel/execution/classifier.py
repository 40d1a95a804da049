"""Decides for each access of kernel code whether something else may happen before it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.kernel.cpu.registers import RIP
from iopermit.kernel.execution.scheduling_points import ObservedAccesses, SchedulingPoints
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.kernel.state.guest_memory import GuestMemory

Point = tuple[bool, bool]
"""Whether an access is a point for this CPU's tasks, and for other CPUs."""
_NONE: Point = (False, False)
_LOCK: Final = b"\xf0"
_PREFIXES: Final = b"\xf0\xf2\xf3\x2e\x36\x3e\x26\x64\x65\x66\x67"
"""Legacy prefixes of an instruction (SDM vol. 2, "Instruction Prefixes")."""
_REX: Final = 4
_XCHG: Final = (b"\x86", b"\x87")
_CMPS: Final = (b"\xa6", b"\xa7")
_CMPXCHG16B: Final = b"\x0f\xc7"
_LONGEST: Final = 15
"""Bytes of the longest instruction."""


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
    shared: set[int] = field(default_factory=set)
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
        touched_tss: whether it accessed the TSS of a CPU.
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
        self.begin()
        self._tss = memory.layout.tss_words
        self._heap_end = at.HEAP + memory.heap * at.HEAP_STRIDE
        self.counter: int | None = None
        self._locked: dict[int, bool] = {}

    def begin(self) -> None:
        """Begin with a transition, which has accessed nothing yet."""
        self.foreign = self.touched_heap = self.touched_tss = False

    def note_tss(self, address: int, size: int) -> None:
        """Note an access, by whatever means, that may be one of a CPU's TSS."""
        start, end = self._tss
        offset = (address - at.PER_CPU) % at.PER_CPU_STRIDE
        if at.PER_CPU <= address < at.TASK and offset < end and start < offset + size:
            self.touched_tss = True

    def classify(self, address: int, size: int, value: int, *, write: bool) -> Point:
        """Return whether an access is a point, and take note of it."""
        if address >= at.HEAP:
            return self._heap_access(address, value, write=write)
        if address >= at.TASK:
            return self._task_access(address, size, value, write=write)
        if address >= at.PER_CPU:
            return self._per_cpu_access(address, size, value, write=write)
        offset = (address - self._data_start) & ~7
        if address == self.counter and self._is_counting(write=write):
            point = offset in self.points.data
            return point, point
        if write:
            self.seen.data.add(offset)
            self._publish(value)
        point = offset in self.points.data
        return point, point

    def note_counter(self) -> None:
        """Make accesses to the counter scheduling points: who takes a number first matters."""
        if self.counter is not None:
            self.seen.data.add((self.counter - self._data_start) & ~7)

    def _is_counting(self, *, write: bool) -> bool:
        """Return whether the instruction at hand does nothing but take the next number."""
        address = self._memory.emulator.register(RIP)
        if self.is_locked(address):
            return True
        self.seen.counter_plain = address
        if write:
            self.seen.counter_stored = address
        return False

    def is_locked(self, address: int) -> bool:
        """Return whether an instruction has a `lock` prefix, or is XCHG, which needs none."""
        if address not in self._locked:
            prefixes, opcode = self._decoded(address)
            self._locked[address] = _LOCK in prefixes or opcode[:1] in _XCHG
        return self._locked[address]

    def reads_twice(self, address: int) -> bool:
        """Return whether an instruction reads two words: CMPS, or CMPXCHG16B."""
        _, opcode = self._decoded(address)
        return opcode.startswith((*_CMPS, _CMPXCHG16B))

    def _decoded(self, address: int) -> tuple[bytes, bytes]:
        """Return the legacy prefixes of an instruction, and its opcode with what follows."""
        code = self._memory.emulator.read(address, _LONGEST)
        rest = code.lstrip(_PREFIXES)
        prefixes = code[: len(code) - len(rest)]
        return prefixes, rest[1:] if rest[0] >> 4 == _REX else rest

    def free(self, slot: int, header: int) -> bool:
        """Note that an object is freed; return whether that is a scheduling point.

        It is a write to every word. Of the map only the first one matters: a reader of the map
        reads it, or can be delayed until the map is freed.
        """
        self.touched_heap = True
        if slot not in self.heap.shared:
            return False
        self.seen.frees = True
        self.seen.shared.update(range(0, header + 1, 8))
        return self.points.frees

    def note_written(self, address: int, size: int) -> None:
        """Note a write into a heap object, behind the words that are always watched."""
        slot, offset = divmod(address - at.HEAP, at.HEAP_STRIDE)
        if slot in self.heap.shared:
            self.seen.shared.update({offset & ~7, (offset + size - 1) & ~7})

    def _publish(self, value: int) -> None:
        """Note that others can find a heap object from now on, if a stored value points to one."""
        if at.HEAP <= value < self._heap_end:
            self.heap.shared.add((value - at.HEAP) // at.HEAP_STRIDE)

    def _heap_access(self, address: int, value: int, *, write: bool) -> Point:
        self.touched_heap = True
        slot, offset = divmod(address - at.HEAP, at.HEAP_STRIDE)
        if slot not in self.heap.shared:
            return _NONE
        if write:
            self.seen.shared.add(offset & ~7)
            self._publish(value)
        point = offset & ~7 in self.points.shared
        return point, point

    def _task_access(self, address: int, size: int, value: int, *, write: bool) -> Point:
        slot, offset = divmod(address - at.TASK, at.TASK_STRIDE)
        actor, word = self.actor, offset & ~7
        own, involved = slot == actor.slot, slot in actor.involved
        foreign = word in self.points.foreign
        if own or (involved and actor.slot < 0):
            self.seen.tasks.add(offset, size, write=write, own=own)
        elif not involved:
            words = self.seen.foreign_writes if write else self.seen.foreign_reads
            words.update({word, (offset + size - 1) & ~7})
        if write and own and word in self.points.looked_at:
            self._publish(value)
        if not own and involved:
            # The tasks of a switch do not run elsewhere; a child that is being made neither.
            return foreign, foreign
        self.foreign = self.foreign or not own
        if not own:
            return foreign, foreign
        if not write:
            return foreign or word in self.points.task_reads, foreign
        if word in self.points.task_writes or foreign:
            return self._changes(address, size, value), foreign
        return _NONE

    def _changes(self, address: int, size: int, value: int) -> bool:
        """Return whether a store changes memory; one that does not is like a read."""
        mask = (1 << 8 * size) - 1
        return int.from_bytes(self._memory.emulator.read(address, size), "little") != value & mask

    def _per_cpu_access(self, address: int, size: int, value: int, *, write: bool) -> Point:
        self.note_tss(address, size)
        cpu, offset = divmod(address - at.PER_CPU, at.PER_CPU_STRIDE)
        if write:
            self._publish(value)
        if cpu != self.actor.cpu:
            self.foreign = True
            self.seen.remote.add(offset & ~7)
            return True, True
        # The current task is the same wherever the task itself reads it.
        constant = not write and offset == self._current_task
        return not constant, offset & ~7 in self.points.remote
