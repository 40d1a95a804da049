"""Decides which steps may run together with the step before: nothing can come between them.

A step may be merged if whatever could happen before it could as well happen after it, with the
same outcome. docs/how-it-checks.md has the argument. In short, with preemption or interrupts
off only other CPUs could come between, so the step must touch nothing that they can touch;
with preemption on also a context switch on the same CPU could, so it must moreover touch
nothing that switching touches. A heap object counts as touched by nobody else if no other
task, CPU or object refers to it, which is decided in each state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.analyses.idle_switch import idle_switch_does_nothing
from iopermit.translate.model.accesses import Access, accesses
from iopermit.translate.model.builder import binary, differ, equal, every, slot_of
from iopermit.translate.model.nodes import (
    ALWAYS,
    CPU,
    DEAD,
    FIRST_STEP,
    NEVER,
    TASK,
    Clear,
    Const,
    Expr,
    Field,
    Load,
    Mask,
    Store,
    Temp,
    Unshared,
)
from iopermit.translate.model.walk import statements, subexpressions, targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.translate.model.model import Model, Step


class Merging:
    """Knows for each step of a model when it may be merged."""

    def __init__(self, model: Model, assumed: frozenset[Field] = frozenset()) -> None:
        """Analyse ``model``.

        ``assumed`` are fields of heap objects that are assumed never to be written while
        anybody else refers to the object. The search watches every write; if one breaks the
        assumption, its result is not used (Stoller and Cohen, Optimistic
        synchronization-based state-space reduction, TACAS 2003).
        """
        self.model = model
        self.preemption = model.preemption
        self.assumed = assumed
        self._current, self._following = model.kernel.current, model.kernel.following
        every_body = [s.body for s in model.steps.values()]
        rules = [*model.user_rules, *model.thread_rules, *model.switch_rules]
        self._written = {
            a.field
            for body in [*every_body, *(r.body for r in rules)]
            for a in accesses(body)
            if a.write
        }
        self._foreign = {
            (a.field.record, a.field.name)
            for step in model.steps.values()
            for a in accesses(step.body)
            if a.field.record in ("task", "cpu", "tss") and not self._is_own(step, a.slot)
        }
        switching = [
            a
            for s in model.steps.values()
            if s.context == "cpu" and s.site
            for a in accesses(s.body)
        ]
        self._switch_reads = {a.field for a in switching}
        self._switch_writes = {a.field for a in switching if a.write}
        self._idle_switch_does_nothing = idle_switch_does_nothing(model)
        self._conditions = {pc: self._condition(step) for pc, step in model.steps.items()}
        self._cycles = _back_edges(model)

    def condition(self, pc: int) -> Expr:
        """Return when the step ``pc`` may be merged; evaluated in the state before it."""
        return self._conditions.get(pc, NEVER)

    def closes_cycle(self, pc: int, target: int) -> bool:
        """Return whether merging along this edge could go on for ever."""
        return (pc, target) in self._cycles

    # Internals.

    def _condition(self, step: Step) -> Expr:
        if self._is_boundary(step):
            return NEVER
        if step.allocation is not None:
            return self._allocation(step.allocation.free)
        conditions: list[Expr] = []
        if DEAD in targets(step.body) and not self._undisturbed(step):
            if not self._idle_switch_does_nothing:
                return NEVER
            conditions += self._like_idle()
        alone = self.model.counts["cpu"] == 1 and self._undisturbed(step)
        for access in accesses(step.body):
            condition = ALWAYS if alone else self._access(step, access)
            if condition == NEVER:
                return NEVER
            if condition not in conditions:
                conditions.append(condition)
        if self._releases_task(step) and any(record == "task" for record, _ in self._foreign):
            previous = slot_of(Load(self._current, CPU))
            conditions.append(differ(Load(self.model.kernel.task_pc, previous), DEAD))
        return every(*conditions)

    def _like_idle(self) -> list[Expr]:
        """Return when switching cannot tell the task from an idle one.

        A task that is preempted just before its last step is switched to once more, a dead one
        never is. If it looks like an idle task, the CPU can as well go idle instead.
        """
        return [
            equal(Load(f, TASK), self.model.idle.get(f.name, 0))
            for f in sorted(self._switch_reads, key=lambda f: f.name)
            if f.record == "task" and not f.local
        ]

    def _releases_task(self, step: Step) -> bool:
        return step.context == "cpu" and any(
            isinstance(s, Clear) and s.record == "task" for s in statements(step.body)
        )

    def _allocation(self, free: Mask) -> Expr:
        """Return when it does not matter which slot is taken: nothing dangles, none is lacking."""
        slots = Const((1 << self.model.counts[free.record]) - 1)
        dangling = binary("and", binary("and", Mask("referenced", free.record), slots), free)
        return every(equal(dangling, 0), differ(free, 0))

    def _undisturbed(self, step: Step) -> bool:
        """Return whether nothing else can happen on the CPU before the step."""
        return step.preemption_off or not self.preemption

    def _is_boundary(self, step: Step) -> bool:
        """Return whether the context switch must be possible before the step.

        So it is if preemption or interrupts go off in it.
        """
        if self._undisturbed(step):
            return False
        after = [self.model.steps[t] for t in targets(step.body) if t >= FIRST_STEP]
        return any(s.preemption_off for s in after)

    def _access(self, step: Step, access: Access) -> Expr:  # noqa: PLR0911 - one per kind
        """Return when nobody else can come between with regard to one access."""
        field = access.field
        if field.local:
            return ALWAYS if self._is_own(step, access.slot) else NEVER
        if field.record == "globals":
            return NEVER if field in self._written and field != self.model.kernel.bad else ALWAYS
        if field.record in self.model.heap:
            return self._heap(step, access)
        if not self._is_own(step, access.slot) or (field.record, field.name) in self._foreign:
            return NEVER
        if field.record in ("cpu", "tss"):
            own_task = field is self._current and not access.write
            return ALWAYS if self._undisturbed(step) or own_task else NEVER
        if self._undisturbed(step) or self._apart_from_switching(access):
            return ALWAYS
        return self._no_change(step, access)

    def _apart_from_switching(self, access: Access) -> bool:
        return access.field not in (self._switch_reads if access.write else self._switch_writes)

    def _no_change(self, step: Step, access: Access) -> Expr:
        """Return when a store to a field that switching reads leaves it as it is."""
        stores = [
            s
            for s in step.body
            if isinstance(s, Store) and s.field is access.field and s.index == access.slot
        ]
        if len(stores) != 1 or any(isinstance(e, Temp) for e in subexpressions(stores[0].value)):
            return NEVER
        return equal(Load(access.field, access.slot), stores[0].value)

    def _heap(self, step: Step, access: Access) -> Expr:
        if not (self._undisturbed(step) or self._apart_from_switching(access)):
            return NEVER
        if any(isinstance(e, Temp) for e in subexpressions(access.slot)):
            return NEVER
        if access.field in self.assumed and not access.write:
            return ALWAYS
        return self.unshared(step, access.field.record, access.slot)

    def unshared(self, step: Step, record: str, slot: Expr) -> Expr:
        """Return whether only the step's own tasks refer to a heap object."""
        return Unshared(record, binary("add", slot, Const(1)), tuple(self._own_tasks(step)))

    def _own_tasks(self, step: Step) -> list[Expr]:
        """Return the tasks whose pointers nothing but the step's own context follows.

        A child that is being forked is not run or switched to before its parent is done.
        """
        if step.context == "cpu":
            return [slot_of(Load(f, CPU)) for f in (self._current, self._following)]
        live = self.model.live.get(step.pc, frozenset())
        children = [f for f in live if f == self.model.kernel.child]
        return [TASK, *(slot_of(Load(f, TASK)) for f in children)]

    def _is_own(self, step: Step, slot: Expr) -> bool:
        """Return whether a slot is the step's own CPU or task, its child, or a task it switches."""
        if slot in (CPU, TASK) or slot == slot_of(Load(self._current, CPU)):
            return True
        if step.context == "cpu":
            return slot == slot_of(Load(self._following, CPU))
        loads = [e for e in subexpressions(slot) if isinstance(e, Load)]
        return len(loads) == 1 and loads[0].field == self.model.kernel.child


def _back_edges(model: Model) -> set[tuple[int, int]]:
    """Return the edges that close a cycle of steps without a counted loop in it."""
    found: set[tuple[int, int]] = set()
    done: set[int] = set()
    for root in model.steps:
        if root in done:
            continue
        path: list[tuple[int, Iterator[int]]] = [
            (root, iter(sorted(targets(model.steps[root].body))))
        ]
        open_steps = {root}
        while path:
            pc, rest = path[-1]
            target = next(rest, None)
            if target is None:
                path.pop()
                open_steps.discard(pc)
                done.add(pc)
            elif target in open_steps and not model.steps[pc].counted:
                found.add((pc, target))
            elif target in model.steps and target not in done and target not in open_steps:
                path.append((target, iter(sorted(targets(model.steps[target].body)))))
                open_steps.add(target)
    return found
