"""Obligations of merged steps: they commute with whatever can come in between, under a condition.

For each step that may be merged and each step or event of another context (a *rival*): where the
condition holds, it holds after the rival; the rival is not disabled and fails no less; and both
orders lead to the same state. Or the rival alone leads to the same state as after the step: a
switch sends a task that is back in user mode to where its way there begins again. Then whatever
begins with the rival is found after the step, too.

The choice of a free slot or of a fresh sequence number counts as the same choice in both orders,
since states that differ in such names are one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import z3

from iopermit.translate.analyses.assumptions import Reclaimed
from iopermit.translate.model.builder import dangling
from iopermit.translate.model.nodes import (
    NEVER,
    Expr,
    Field,
    Mask,
)
from iopermit.translate.obligations.elsewhere import depends_on_cpu
from iopermit.translate.obligations.execution import (
    Execution,
    SymbolicOutcome,
    SymbolicState,
    Variables,
)
from iopermit.translate.obligations.facts import Facts
from iopermit.translate.obligations.premises import premises
from iopermit.translate.obligations.rivals import Rivals
from iopermit.translate.obligations.shapes import Shape
from iopermit.translate.obligations.solving import first_possible
from iopermit.translate.obligations.transitions import any_free_slot
from iopermit.translate.obligations.values import (
    Truth,
    alike,
    conjunction,
    disjunction,
    negation,
    truth,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from iopermit.translate.analyses.merging import Merging
    from iopermit.translate.model.model import Model, Step
    from iopermit.translate.obligations.execution import Context, Place
    from iopermit.translate.obligations.rivals import Placement, Rival


@dataclass(frozen=True)
class Undischarged:
    """An obligation that is not discharged."""

    step: Step
    rival: str
    what: str

    def __str__(self) -> str:
        """Name the step, what fails, and the rival."""
        place = self.step.place
        return f"{place}: {self.what}; rival: {self.rival}"


class Commuting:
    """The obligations of one way of merging the steps of a model."""

    def __init__(self, merging: Merging) -> None:
        """State those of ``merging``."""
        self.merging, self.model = merging, merging.model
        self.asked = self.apart = 0
        """How many obligations the solver was asked, and how many touch nothing in common."""
        self._rivals = Rivals(self.model)
        self._known: dict[Hashable, str] = {}
        self._touched: dict[Rival, _Touched] = {}
        self._premises = Facts(self.model, [p.holds for p in premises(self.model)])

    def failures(self) -> Iterator[Undischarged]:
        """Yield the obligations that fail, one for each step and rival."""
        for step in self.model.steps.values():
            if self.merging.condition(step.pc) == NEVER:
                continue
            for placement, rivals in self._rivals.of(step):
                if self._depends_on_cpu(step, placement):
                    yield Undischarged(step, "another CPU", "it is not the same on every CPU")
                own = self._footprint_of_step(step, placement)
                for rival in rivals:
                    if own.is_apart_from(self._footprint_of_rival(rival)):
                        self.apart += 1
                        continue
                    what = self._failure(step, placement, rival)
                    if what:
                        yield Undischarged(step, rival.name, what)

    def _depends_on_cpu(self, step: Step, placement: Placement) -> bool:
        """Return whether a step, where its task is not running, looks at the CPU that it gets."""
        away = placement.context.cpu == self.model.counts["cpu"]
        condition = self.merging.condition(step.pc)
        known = self._premises.expressions
        return away and depends_on_cpu(self.model, step, placement, condition, known)

    def _failure(self, step: Step, placement: Placement, rival: Rival) -> str:
        """Return what fails, or nothing; ask once for all pairs that differ in names only."""
        if any(rival.fixed.get(place, value) != value for place, value in placement.fixed.items()):
            return ""  # Both cannot be where they would have to be.
        own = Shape(self.model).of(step, self.merging.condition(step.pc))
        shape = Shape(self.model)
        theirs = rival.name if rival.step is None else shape.of(rival.step)
        key = own, theirs, placement.context, placement.where, placement.dead, rival.context
        if key not in self._known:
            self._known[key] = self._solved(step, placement, rival)
        return self._known[key]

    def _solved(self, step: Step, placement: Placement, rival: Rival) -> str:
        self.asked += 1
        pair = _Pair(self.merging, step, placement, rival)
        claims = [(what, formula) for what, formula in pair.claims() if formula is not False]
        if not claims:
            return ""
        solver = z3.Solver()
        solver.add(*pair.given(self._premises))
        return first_possible(solver, claims)

    def _footprint_of_step(self, step: Step, placement: Placement) -> _Touched:
        on = Execution(self.model, placement.context)
        start = SymbolicState(Variables(placement.fixed))
        on.value(self.merging.condition(step.pc), start)
        on.run(step.body, start)
        on.written.add(_counter_of(self.model, placement.context, of_cpu=step.context == "cpu"))
        return _Touched(on.read, on.written)

    def _footprint_of_rival(self, rival: Rival) -> _Touched:
        if rival not in self._touched:
            on = Execution(self.model, rival.context)
            start = SymbolicState(Variables(rival.fixed))
            on.value(rival.guard, start)
            on.run(rival.body, start)
            on.written.add(_counter_of(self.model, rival.context, of_cpu=rival.switches))
            self._touched[rival] = _Touched(on.read, on.written)
        return self._touched[rival]


@dataclass(frozen=True)
class _Touched:
    """The places that a step or rival reads, and those that it writes."""

    read: set[Place]
    written: set[Place]

    def is_apart_from(self, other: _Touched) -> bool:
        """Return whether neither writes what the other touches."""
        return self.written.isdisjoint(other.read | other.written) and other.written.isdisjoint(
            self.read
        )


def _counter_of(model: Model, context: Context, *, of_cpu: bool) -> Place:
    """Return the place of the program counter of a context."""
    kernel = model.kernel
    return (kernel.cpu_pc, context.cpu) if of_cpu else (kernel.task_pc, context.task)


class _Pair:
    """A step, a rival, and the states that both orders lead to."""

    def __init__(self, merging: Merging, step: Step, placement: Placement, rival: Rival) -> None:
        self.merging, self.model, self.step, self.rival = merging, merging.model, step, rival
        self.placement = placement
        dead = dict.fromkeys(placement.dead, 0)
        self.start = SymbolicState(Variables({**dead, **placement.fixed, **rival.fixed}))
        self.mine, self.theirs = (
            Execution(self.model, context) for context in (placement.context, rival.context)
        )
        self.condition = self._true(self.mine, merging.condition(step.pc), self.start)
        self.guard = self._true(self.theirs, any_free_slot(rival.guard), self.start)
        self.first = self._of_step(self.mine, self.start)
        self.other = self._of_rival(self.theirs, self.start)

    def given(self, known: Facts) -> list[Truth]:
        """Return what is assumed: the premises, the condition, and that the rival can come."""
        at = self.start
        where = self._true(self.mine, self.placement.where, at)
        facts = [*known.where(at.variables.fixed), where]
        slots = [
            z3.ULE(context.context.parameter("choice"), step.choices - 1)
            for context, step in ((self.mine, self.step), (self.theirs, self.rival.step))
            if step is not None and step.allocation is not None
        ]
        rest = [self.condition, self.guard, *slots, *self._distinct()]
        return [*facts, *rest, *at.variables.ranges]

    def _distinct(self) -> list[Truth]:
        """Two allocations of one class take different slots: which, is a matter of names."""
        rival = self.rival.step
        if self.step.allocation is None or rival is None or rival.allocation is None:
            return []
        if self.step.allocation.free.record != rival.allocation.free.record:
            return []
        ours, others = (c.context.parameter("choice") for c in (self.mine, self.theirs))
        failure = self.step.allocation.slots
        return [disjunction(negation(alike(ours, others)), alike(ours, failure))]

    def claims(self) -> Iterator[tuple[str, Truth]]:
        """Yield what must be impossible, with what is wrong if it is not."""
        possible = disjunction(*(o.when for o in self.other))  # There is room for what it takes.
        for end in self.first:
            if end.failed:
                continue  # The search sees the step fail.
            checker = Execution(self.model, self.rival.context)
            after = self._of_rival(checker, end.state)
            watched = self._watched(checker, end.state, after)
            here = conjunction(end.when, watched)
            guard = self._true(checker, any_free_slot(self.rival.guard), end.state)
            yield "it disables the rival", conjunction(here, possible, negation(guard))
            yield from self._orders(here, after)

    def _orders(self, here: Truth, after: list[SymbolicOutcome]) -> Iterator[tuple[str, Truth]]:
        fine = disjunction(*(o.when for o in after if not o.failed))
        for other in self.other:
            both = conjunction(here, other.when)
            if other.failed:
                yield "the rival no longer fails", conjunction(both, fine)
                continue
            both = conjunction(both, negation(self._undone(other, after)))
            mover = Execution(self.model, self.placement.context)
            lasting = self._true(mover, self.merging.lasting(self.step.pc), other.state)
            yield "its condition does not survive", conjunction(both, negation(lasting), fine)
            second = self._of_step(mover, other.state)
            failing = disjunction(*(o.when for o in second if o.failed))
            yield "it fails after the rival", conjunction(both, failing, fine)
            for one in after:
                for two in second:
                    if not one.failed and not two.failed:
                        when = conjunction(both, one.when, two.when)
                        different = negation(self._same(one.state, two.state))
                        yield "both orders lead to different states", conjunction(when, different)

    def _undone(self, other: SymbolicOutcome, after: list[SymbolicOutcome]) -> Truth:
        """Return that the rival leads to where it leads without the step before it."""
        same = (
            conjunction(one.when, self._same(one.state, other.state))
            for one in after
            if not one.failed
        )
        return disjunction(*same)

    # Executing.

    def _of_step(self, on: Execution, at: SymbolicState) -> list[SymbolicOutcome]:
        step = self.step
        outcomes = on.run(step.body, at)
        if step.allocation is not None:
            possible = self._true(on, any_free_slot(step.guard), at)
            outcomes = [replace(o, when=conjunction(o.when, possible)) for o in outcomes]
        place = _counter_of(self.model, on.context, of_cpu=step.context == "cpu")
        return [self._arrived(o, place) for o in outcomes]

    def _of_rival(self, on: Execution, at: SymbolicState) -> list[SymbolicOutcome]:
        place = _counter_of(self.model, on.context, of_cpu=self.rival.switches)
        return [self._arrived(o, place) for o in on.run(self.rival.body, at)]

    @staticmethod
    def _arrived(outcome: SymbolicOutcome, place: tuple[Field, int]) -> SymbolicOutcome:
        if outcome.target is None:
            return outcome
        return replace(outcome, state=outcome.state.with_values({place: outcome.target}))

    @staticmethod
    def _true(on: Execution, expr: Expr, at: SymbolicState) -> Truth:
        return truth(on.value(expr, at))

    # What the search watches.

    def _watched(self, on: Execution, before: SymbolicState, after: list[SymbolicOutcome]) -> Truth:
        """Return that the rival, done second, breaks no assumption: the search would see it."""
        step = self.rival.step
        if step is None:
            return True
        owners = [on.value(o, before) for o in self.merging.footprints.own_tasks(step)]
        kept: list[Truth] = []
        for write in on.heap_writes:
            if write.field in self.merging.assumed:
                reference = write.slot + 1
                alone = on.is_unshared(write.field.record, reference, owners, before)
                kept.append(disjunction(negation(write.when), alone))
        for what in self.merging.assumed:
            if isinstance(what, Reclaimed):
                for outcome in after:
                    left = dangling(Mask("free", what.record), self.model.counts[what.record])
                    none = negation(truth(on.value(left, outcome.state)))
                    kept.append(disjunction(negation(outcome.when), outcome.failed, none))
        return conjunction(*kept)

    def _same(self, left: SymbolicState, right: SymbolicState) -> Truth:
        places = left.changed.keys() | right.changed.keys()
        return conjunction(*(alike(left[p], right[p]) for p in places))
