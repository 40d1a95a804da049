"""What the contexts of a model touch: whose records, and what switching reads and writes.

A record of a task, CPU or TSS has an owner: the task itself, its parent while it is being
forked, who stopped it while it is stopped, the CPU. An access from elsewhere, through a pointer to
another task or CPU, is *foreign*. What is foreign anywhere is never taken for private, whichever
state the search is in.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from iopermit.translate.model.accesses import Access, accesses, reads
from iopermit.translate.model.builder import slot_of
from iopermit.translate.model.nodes import CPU, TASK, Clear, Const, Expr, Load
from iopermit.translate.model.walk import loads_of, statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.translate.model.model import Model, Step
    from iopermit.translate.model.nodes import Field, RecordName

OWNED: Final = ("task", "cpu", "tss")
"""Records that have an owner."""


class Footprints:
    """Which fields are touched by whom; every step, rule and the specification count."""

    def __init__(self, model: Model) -> None:
        """Look at all of ``model``."""
        self.model = model
        self._touched: dict[int, list[Access]] = {}
        self.current = model.kernel.current
        self.following = model.kernel.following
        every_access: list[tuple[Step | None, Access]] = [(None, a) for a in self._of_rules()]
        every_access.extend((s, a) for s in model.steps.values() for a in self.touched(s))
        self.written = frozenset(a.field for _, a in every_access if a.write)
        """Fields that some step or rule writes."""
        foreign = [
            a
            for step, a in every_access
            if a.field.record in OWNED and not self.is_own(step, a.slot)
        ]
        foreign += [a for a in reads(model.specification) if not self._is_of_judged_cpu(a)]
        self.foreign = frozenset(a.field for a in foreign)
        """Fields of tasks, CPUs and TSSs that somebody touches who does not own the record."""
        self.exposed = frozenset(a.field.target for a in foreign if a.field.kind == "ref")
        """Classes of objects that somebody can reach through the record of another."""
        switching = [
            a
            for s in model.steps.values()
            if s.context == "cpu" and not s.ends_switch
            for a in self.touched(s)
        ]
        self.switch_reads = frozenset(a.field for a in switching if not a.write)
        self.switch_writes = frozenset(
            [*(a.field for a in switching if a.write), *self._ended_by_switches()]
        )
        self.switch_publishes = frozenset(
            a.field.target for a in switching if a.write and a.field.kind == "ref"
        )
        """Classes of objects to which switching stores a pointer, if only till its end."""

    def _ended_by_switches(self) -> Iterator[Field]:
        """Yield what the beginning of a switch writes of the task that it leaves.

        But for its pc, which no step looks at, that is the row of refusals.
        """
        if self.model.kernel.refusals is not None:
            yield self.model.kernel.refusals

    def is_own(self, step: Step | None, slot: Expr) -> bool:
        """Return whether a slot is of the step's own CPU or task, or of a task that it may touch.

        That is its child, a task that it stopped, or one that it switches. A rule (``step`` is
        None) runs as the current task; a constant slot in it is the child or the stopped task.
        """
        if slot in (CPU, TASK) or slot == slot_of(Load(self.current, CPU)):
            return True
        if step is None:
            return isinstance(slot, Const)
        if step.context == "cpu":
            return slot == slot_of(Load(self.following, CPU))
        return self._is_held(slot)

    def _is_held(self, slot: Expr) -> bool:
        """Return whether a slot is that of the child which the task forks, or which it stopped."""
        return loads_of(slot) in [[Load(held, TASK)] for held in self.model.kernel.held]

    def own_tasks(self, step: Step) -> list[Expr]:
        """Return the tasks whose records nothing but the step's own context touches.

        A child that is being forked is not run or switched to before its parent is done, a
        stopped task not before the one that stopped it is.
        """
        if step.context == "cpu":
            return [slot_of(Load(f, CPU)) for f in (self.current, self.following)]
        live = self.model.live.get(step.pc, frozenset())
        held = [f for f in live if f in self.model.kernel.held]
        return [TASK, *(slot_of(Load(f, TASK)) for f in held)]

    def own_references(self, step: Step, target: RecordName) -> list[Load]:
        """Return every pointer to a class of objects in the records that the step owns.

        A local variable counts where it is live; elsewhere its place may hold another one.
        """
        live = self.model.live.get(step.pc, frozenset())
        pointers = [
            f
            for f in self.model.fields
            if f.kind == "ref" and f.target == target and (not f.local or f in live)
        ]
        found = [
            Load(f, slot)
            for f in pointers
            if f.record == "task"
            for slot in self.own_tasks(step)
            if not f.local or slot == TASK
        ]
        if step.context == "cpu":
            found += [Load(f, CPU) for f in pointers if f.record in OWNED[1:]]
        return found

    def touched(self, step: Step) -> list[Access]:
        """Return the accesses of a step; freeing an object writes every field of it."""
        known = self._touched.get(step.pc)
        if known is not None:
            return known
        freed = [
            Access(f, s.index, write=True)
            for s in statements(step.body)
            if isinstance(s, Clear) and s.record in self.model.heap
            for f in self.model.fields_of(s.record)
        ]
        found = [*dict.fromkeys((*accesses(step.body), *freed))]
        self._touched[step.pc] = found
        return found

    def _of_rules(self) -> Iterator[Access]:
        model = self.model
        for rule in (*model.user_rules, *model.thread_rules):
            yield from accesses(rule.body)
            yield from (
                Access(load.field, load.index, write=False) for load in loads_of(rule.guard)
            )
        # The guards of switch rules look at the pc of tasks and at what CPUs run, which says
        # nothing about their data.
        yield from itertools.chain.from_iterable(accesses(r.body) for r in model.switch_rules)

    def _is_of_judged_cpu(self, access: Access) -> bool:
        """Return whether the specification looks at the CPU that it judges, or its current task."""
        if access.field.record not in OWNED:
            return True
        match access.slot:
            case Const():
                return True
        return any(
            access.slot == slot_of(Load(self.current, Const(cpu)))
            for cpu in range(self.model.counts["cpu"])
        )
