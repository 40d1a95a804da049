"""Which accesses of kernel code are scheduling points: something else may happen before them.

An access is a scheduling point if another context may access the same memory and one of the two
writes; all others commute with whatever could come in between (docs/kernel-trees.md has the
argument). Which memory that is, is observed: the search starts with what is known and starts
again when a run shows more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass
class Footprint:
    """Words (byte offsets, multiples of 8) of one kind of object that contexts access.

    `own` is a context's own object (the current task's structure, an object that nobody else
    refers to), the other two are accesses by other contexts or to shared objects.
    """

    own_reads: set[int] = field(default_factory=set)
    own_writes: set[int] = field(default_factory=set)
    other_reads: set[int] = field(default_factory=set)
    other_writes: set[int] = field(default_factory=set)

    def add(self, offset: int, size: int, *, write: bool, own: bool) -> None:
        """Note an access."""
        if own:
            words = self.own_writes if write else self.own_reads
        else:
            words = self.other_writes if write else self.other_reads
        words.add(offset & ~7)
        words.add((offset + size - 1) & ~7)

    def conflicting_reads(self) -> set[int]:
        """Return the words whose reads by the own context others' writes can precede or follow."""
        return self.own_reads & self.other_writes

    def conflicting_writes(self) -> set[int]:
        """Return the words that others access and the own context writes."""
        return self.own_writes & (self.other_reads | self.other_writes)


@dataclass
class ObservedAccesses:
    """What was observed so far, and the points that follow from it.

    Attributes:
        tasks: accesses to `struct task_struct`, by its own task's system calls and by switches.
        foreign_reads, foreign_writes: words of it that anything else accesses, on any CPU.
        frees: whether an object was freed while others referred to it.
        shared: words of heap objects that were written while others referred to the object.
        data: words of global data that kernel code writes.
        remote: words of per-CPU areas that another CPU accesses.
        tss_bitmap: whether kernel code writes or reads the map in the TSS where it can be
            preempted, or accesses another CPU's.
        interrupts: whether kernel code accesses such memory after switching interrupts off itself.
        counter_plain: an instruction that accesses the counter of sequence numbers otherwise than
            by a `lock`ed instruction, which takes the next number.
        counter_stored: one that changes it otherwise.
    """

    tasks: Footprint = field(default_factory=Footprint)
    foreign_reads: set[int] = field(default_factory=set)
    foreign_writes: set[int] = field(default_factory=set)
    frees: bool = False
    shared: set[int] = field(default_factory=set)
    data: set[int] = field(default_factory=set)
    remote: set[int] = field(default_factory=set)
    tss_bitmap: bool = False
    interrupts: bool = False
    counter_plain: int = 0
    counter_stored: int = 0
    torn: int = 0
    """An instruction without a `lock` prefix that reads what others access, and reads or writes
    something else that others access: it is executed as one access, and is two."""

    def looked_at(self) -> set[int]:
        """Return the words of a task that anything but its own system calls accesses."""
        tasks = self.tasks
        others = tasks.other_reads | tasks.other_writes
        return others | self.foreign_reads | self.foreign_writes

    def _foreign(self) -> set[int]:
        """Return the words of a task whose accesses from elsewhere do not commute with others."""
        tasks = self.tasks
        writes = tasks.own_writes | tasks.other_writes
        accesses = writes | tasks.own_reads | tasks.other_reads
        both = self.foreign_reads | self.foreign_writes
        return (both & writes) | (self.foreign_writes & (accesses | both))

    def points(self) -> SchedulingPoints:
        """Return the words that are points."""
        return SchedulingPoints(
            frozenset(self.tasks.conflicting_reads()),
            frozenset(self.tasks.conflicting_writes()),
            frozenset(self.shared),
            frozenset(self.data),
            frozenset(self.remote),
            self.tss_bitmap,
            self.interrupts,
            frozenset(self._foreign()),
            self.frees,
            frozenset(self.looked_at()),
        )


@dataclass(frozen=True)
class SchedulingPoints:
    """The words before whose access something else may happen."""

    task_reads: frozenset[int] = frozenset()
    task_writes: frozenset[int] = frozenset()
    shared: frozenset[int] = frozenset()
    data: frozenset[int] = frozenset()
    remote: frozenset[int] = frozenset()
    tss_bitmap: bool = False
    interrupts: bool = False
    foreign: frozenset[int] = frozenset()
    """Words of tasks that are accessed from elsewhere: points for every CPU."""
    frees: bool = False
    """Whether freeing an object that others refer to is one."""
    looked_at: frozenset[int] = frozenset()
    """Words of a task that others look at: what these point to is shared."""
    every_access: bool = False
    """Whether every access to memory is one, and nothing else counts: the reference mode."""

    def without_maps(self, header: int) -> SchedulingPoints:
        """Return the points without those inside the maps of heap objects, but for the first word.

        A reader of a freed map reads that word first.
        """
        return replace(self, shared=frozenset(word for word in self.shared if word <= header))

    def saved(self) -> dict[str, Any]:
        """Return them as JSON can hold them."""
        return {
            name: value if isinstance(value, bool) else sorted(value)
            for name, value in vars(self).items()
        }

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> SchedulingPoints:
        """Return what `saved` returned.

        Raises:
            KeyError, TypeError, ValueError: it is damaged.
        """
        words = {
            name: frozenset(int(word) for word in saved[name])
            for name in ("task_reads", "task_writes", "shared", "data", "remote")
        }
        for name in ("foreign", "looked_at"):
            words[name] = frozenset(int(word) for word in saved.get(name, ()))
        return cls(
            **words,
            tss_bitmap=bool(saved["tss_bitmap"]),
            interrupts=bool(saved["interrupts"]),
            frees=bool(saved.get("frees")),
            every_access=bool(saved.get("every_access")),
        )
