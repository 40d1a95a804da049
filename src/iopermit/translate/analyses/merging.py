"""Decides which steps may run together with the step before: nothing can come between them.

A step may be merged in a state if, for whatever other contexts do before it, doing it first gives
the same states (Lipton's reduction). docs/how-it-checks.md has the argument, and
``iopermit check DESIGN --obligations`` discharges its conditions for a design. In short: with
preemption or interrupts off only other CPUs could come between, so the step must touch nothing
that they touch; with preemption on also a context switch on the same CPU could, so it must
moreover write nothing that switching touches and read nothing that switching writes. An object on
the heap counts as touched by nobody else where nobody else refers to it and nobody can come by a
pointer to it through the record of another task or CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.analyses.assumptions import Reclaimed
from iopermit.translate.analyses.cycles import back_edges
from iopermit.translate.analyses.footprints import OWNED, Footprints
from iopermit.translate.analyses.retention import Retention
from iopermit.translate.model.accesses import accesses
from iopermit.translate.model.builder import binary, dangling, differ, either, equal, every, slot_of
from iopermit.translate.model.nodes import (
    ALWAYS,
    CHOICE,
    CPU,
    DEAD,
    FIRST_STEP,
    NEVER,
    NO_ROOM,
    TASK,
    USER,
    Check,
    Clear,
    Const,
    Expr,
    Load,
    Select,
    Store,
    Unshared,
)
from iopermit.translate.model.walk import known_before, statements, targets

if TYPE_CHECKING:
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.model.accesses import Access
    from iopermit.translate.model.model import Allocation, Model, Step
    from iopermit.translate.model.nodes import Field, RecordName, Stmt


def may_run_user_code_after(step: Step) -> bool:
    """Return whether a CPU may execute user code in the state after a step."""
    return step.ends_switch or USER in targets(step.body)


class Merging:
    """Knows for each step of a model when it may be merged."""

    def __init__(self, model: Model, assumed: frozenset[Assumption] = frozenset()) -> None:
        """Analyse ``model``.

        What is ``assumed`` is watched during the search; if a step breaks an assumption, the
        result is not used (Stoller and Cohen, Optimistic synchronization-based state-space
        reduction, TACAS 2003).
        """
        self.model = model
        self.assumed = assumed
        self.footprints = Footprints(model)
        self._lasting = {pc: self._condition(step) for pc, step in model.steps.items()}
        self._conditions: dict[int, Expr] = {}
        self._cycles = back_edges(model)
        self._retention = Retention(self.footprints, self._lasting, self._relying(self._lasting))

    def condition(self, pc: int) -> Expr:
        """Return when the step ``pc`` may be merged; evaluated in the state before it."""
        if pc not in self._conditions:
            self._conditions[pc] = self._whole_condition(pc)
        return self._conditions[pc]

    def _whole_condition(self, pc: int) -> Expr:
        lasting = self.lasting(pc)
        if lasting == NEVER:
            return NEVER
        step = self.model.steps[pc]
        room = [] if step.allocation is None else [differ(step.allocation.free, 0)]
        return every(lasting, self._retention.condition(step), *room)

    def lasting(self, pc: int) -> Expr:
        """Return the part of the condition of a step that nothing in between may end.

        That a slot is free is not: another allocation takes one, which is a matter of room. Nor is
        that the step drops no pointer that others rely on, which is seen when it is done.
        """
        return self._lasting.get(pc, NEVER)

    def closes_cycle(self, pc: int, target: int) -> bool:
        """Return whether merging along this edge could go on for ever."""
        return (pc, target) in self._cycles

    def unshared(self, step: Step, record: str, slot: Expr) -> Expr:
        """Return whether only the step's own tasks refer to a heap object."""
        owners = tuple(self.footprints.own_tasks(step))
        return Unshared(record, binary("add", slot, Const(1)), owners)

    # Internals.

    def _condition(self, step: Step) -> Expr:
        if self._is_boundary(step) or self._hides_others(step):
            return NEVER
        conditions = self._of_accesses(step)
        if step.allocation is not None:
            conditions.append(self._allocation(step.allocation))
        if self._frees_task(step):
            conditions.append(self._release(step))
        return NEVER if NEVER in conditions else every(*dict.fromkeys(conditions))

    def _of_accesses(self, step: Step) -> list[Expr]:
        if self.model.counts["cpu"] == 1 and self._undisturbed(step):
            return []
        touched = [a for a in self.footprints.touched(step) if a.slot != CHOICE]
        return [self._access(step, access) for access in touched]

    def _relying(self, conditions: dict[int, Expr]) -> dict[int, frozenset[RecordName]]:
        """Return for each step the classes of objects for which merging it relies on assumptions.

        Whoever breaks such an assumption has to see that the step's context holds the object.
        """
        found = {}
        for pc, step in self.model.steps.items():
            if conditions[pc] == NEVER:
                continue
            touched = self.footprints.touched(step)
            classes = {a.field.record for a in touched if not a.write and a.field in self.assumed}
            if step.allocation is not None:
                classes.add(step.allocation.free.record)
            found[pc] = frozenset(classes)
        return found

    def _allocation(self, allocation: Allocation) -> Expr:
        """Return when it does not matter which free slot is taken: nothing dangles.

        Nor may another context leave a pointer to an object that it frees, whose slot could
        then be taken.
        """
        free = allocation.free
        if Reclaimed(free.record) not in self.assumed:
            return NEVER
        return equal(dangling(free, self.model.counts[free.record]), 0)

    @staticmethod
    def _frees_task(step: Step) -> bool:
        return any(isinstance(s, Clear) and s.record == "task" for s in statements(step.body))

    def _release(self, step: Step) -> Expr:
        """Return when nobody can tell that the slot of a task becomes free."""
        if not any(field.record == "task" for field in self.footprints.foreign):
            return ALWAYS
        if step.context == "task":
            return NEVER
        previous = slot_of(Load(self.footprints.current, CPU))
        return differ(Load(self.model.kernel.task_pc, previous), DEAD)

    def _undisturbed(self, step: Step) -> bool:
        """Return whether nothing else can happen on the CPU before the step."""
        return step.preemption_off

    def _is_boundary(self, step: Step) -> bool:
        """Return whether the context switch must be possible before the step.

        So it is if preemption or interrupts go off in it, and if it is the last of a task: one
        that is preempted is switched to once more, a dead one never is.
        """
        if self._undisturbed(step):
            return False
        after = targets(step.body)
        return DEAD in after or any(
            self.model.steps[t].preemption_off for t in after if t >= FIRST_STEP
        )

    def _hides_others(self, step: Step) -> bool:
        """Return whether a violation in the step could hide others, where every one is wanted.

        A violating state is not continued. So what could come in between before a step that
        violates is searched only if the step is not done early. A step that fails before it
        changes anything, and one that violates in user mode, are taken back (native/early.py).
        """
        if self.model.blame is None:
            return False
        if step.allocation is not None and may_run_user_code_after(step):
            return True
        stored = False
        for statement in statements(step.body):
            if stored and isinstance(statement, Check) and statement.verdict != NO_ROOM:
                return True
            stored |= isinstance(statement, Store | Clear)
        bad = self.model.kernel.bad
        return any(isinstance(s, Store) and s.field == bad for s in statements(step.body))

    def _access(self, step: Step, access: Access) -> Expr:
        """Return when nobody else can come between with regard to one access."""
        field, footprints = access.field, self.footprints
        if field.record == "globals":
            return (
                NEVER if field in footprints.written and field != self.model.kernel.bad else ALWAYS
            )
        if field.record in self.model.heap:
            return self._heap(step, access)
        if field in footprints.foreign or not footprints.is_own(step, access.slot):
            return NEVER
        if field.local or self._undisturbed(step) or access in self._of_row(step):
            return ALWAYS
        return self._preemptible_access(step, access)

    def _of_row(self, step: Step) -> frozenset[Access]:
        """Return what a step touches only to see whether a row of refusals ends with it.

        A switch that comes between ends the row, when it begins. Then the step leaves the count 0,
        whatever the CPU looks like by then, and whichever CPU that is.
        """
        refusals = self.model.kernel.refusals
        if refusals is None:
            return frozenset()
        ending = [s for s in step.body if _ends_row(s, refusals)]
        others = accesses(tuple(s for s in step.body if s not in ending))
        return frozenset(accesses(tuple(ending))) - frozenset(others)

    def _preemptible_access(self, step: Step, access: Access) -> Expr:
        """Return when neither another CPU nor switching here can come between."""
        field = access.field
        if field.record in OWNED[1:]:
            own_task = field is self.footprints.current and not access.write
            return ALWAYS if own_task else NEVER
        if self._apart_from_switching(access):
            return ALWAYS
        return self._no_change(step, access)

    def _apart_from_switching(self, access: Access) -> bool:
        """Return whether switching neither writes the field nor, if the step does, reads it."""
        footprints = self.footprints
        return access.field not in footprints.switch_writes and not (
            access.write and access.field in footprints.switch_reads
        )

    def _no_change(self, step: Step, access: Access) -> Expr:
        """Return when a store to a field that switching only reads leaves it as it is."""
        if access.field in self.footprints.switch_writes:
            return NEVER
        stores = [
            s
            for s in step.body
            if isinstance(s, Store) and s.field == access.field and s.index == access.slot
        ]
        if len(stores) != 1 or not known_before(stores[0].value):
            return NEVER
        return equal(Load(access.field, access.slot), stores[0].value)

    def _heap(self, step: Step, access: Access) -> Expr:
        """Return when an object is the step's own, or assumed not to be written."""
        record, undisturbed = access.field.record, self._undisturbed(step)
        if not (undisturbed or self._apart_from_switching(access)):
            return NEVER
        if not known_before(access.slot):
            return NEVER
        if access.field in self.assumed and not access.write:
            return ALWAYS
        if record in self.footprints.exposed:
            return NEVER
        if not undisturbed and record in self.footprints.switch_publishes:
            return NEVER
        return either(
            equal(binary("add", access.slot, Const(1)), 0),
            self.unshared(step, record, access.slot),
        )


def _ends_row(statement: Stmt, refusals: Field) -> bool:
    """Return whether a statement leaves a task's count of refusals as it is, or makes it 0."""
    match statement:
        case Store(field, slot, Select(_, yes, no)):
            return field == refusals and slot == TASK and (yes, no) == (Load(field, slot), Const(0))
    return False
