"""What the reductions forget, as formulas: dead fields, open arguments, maps behind a bad base.

Each class says where a state may have another value, which other values those are, and which
differences after a transition may be forgotten again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

import z3

from iopermit.translate.model.nodes import USER, Field
from iopermit.translate.obligations.execution import Context, Execution, SymbolicState
from iopermit.translate.obligations.premises import intervals
from iopermit.translate.obligations.transitions import holds
from iopermit.translate.obligations.values import (
    Truth,
    Value,
    alike,
    bits,
    conjunction,
    disjunction,
    negation,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from iopermit.translate.analyses.dead_fields import DeadFields
    from iopermit.translate.analyses.hidden_maps import HiddenMaps
    from iopermit.translate.analyses.late_arguments import LateArguments
    from iopermit.translate.obligations.execution import Place

Pair: TypeAlias = tuple[SymbolicState, SymbolicState]


@dataclass(frozen=True)
class Ends:
    """Two states before a transition that are one, and the states that it leads to."""

    before: Pair
    after: Pair

    def unchanged(self, place: Place) -> Truth:
        """Return whether a place is in each state after it what it was before."""
        pairs = zip(self.before, self.after, strict=True)
        return conjunction(*(alike(old[place], new[place]) for old, new in pairs))


class Forgotten(Protocol):
    """What a reduction forgets."""

    def covers(self, place: Place) -> bool:
        """Return whether the value of a place may ever be forgotten."""

    def may_be(self, place: Place, state: SymbolicState) -> Truth:
        """Return whether a place that is covered may have another value in a state."""

    def another(self, term: Value, field: Field) -> Truth:
        """Return whether a value is one that the field may have instead."""

    def is_lost(self, place: Place, ends: Ends) -> Truth:
        """Return whether a difference after a transition is one that may be forgotten again."""

    def moved(self, written: Collection[Place]) -> Iterable[Place]:
        """Return where a transition can bring an old difference to light, by what it writes."""

    def known(self, pair: Pair, held: Value) -> Truth:
        """Return what else is known of two states that are one, and of the numbers held there."""


class ForgottenDead:
    """The dead fields of tasks."""

    def __init__(self, dead: DeadFields) -> None:
        """Forget what ``dead`` says; the fields of a free slot are 0 anyway."""
        self._model, self._fields = dead.model, dead.fields
        self._places = {
            (field, thread): intervals(
                pc
                for pc in range(USER, max(dead.model.steps, default=USER) + 1)
                if field in dead.dead(pc, kernel_thread=thread)
            )
            for field in dead.fields
            for thread in (False, True)
        }

    def covers(self, place: Place) -> bool:
        """The fields that can be dead, of tasks that are not idle."""
        return place[0] in self._fields and place[1] < self._model.tasks

    def may_be(self, place: Place, state: SymbolicState) -> Truth:
        """Return whether a field is dead: so says where the task is, and what it is."""
        (field, slot), kernel = place, self._model.kernel
        pc, thread = state[kernel.task_pc, slot], state[kernel.kernel_thread, slot]
        return disjunction(
            *(
                conjunction(alike(thread, int(kind)), within(pc, self._places[field, kind]))
                for kind in (False, True)
            )
        )

    def another(self, term: Value, field: Field) -> Truth:
        """Any value of the field."""
        return z3.ULT(term, 1 << field.width)

    def is_lost(self, place: Place, ends: Ends) -> Truth:
        """Return whether the field is dead afterwards."""
        return conjunction(*(self.may_be(place, state) for state in ends.after))

    def moved(self, written: Collection[Place]) -> Iterable[Place]:
        """Return the fields of the tasks that go on to another place."""
        kernel = self._model.kernel
        tasks = {s for f, s in written if f in (kernel.task_pc, kernel.kernel_thread)}
        places = ((field, slot) for slot in tasks for field in self._fields)
        return filter(self.covers, places)

    def known(self, _: Pair, __: Value) -> Truth:
        """Nothing."""
        return True


class ForgottenArguments:
    """The ports of calls of ioperm() that nobody has looked at."""

    def __init__(self, late: LateArguments) -> None:
        """Forget what ``late`` says."""
        self._late = late
        self._open = intervals(late.open)

    def covers(self, place: Place) -> bool:
        """The argument of every task."""
        return place[0] == self._late.field and place[1] < self._late.model.tasks

    def may_be(self, place: Place, state: SymbolicState) -> Truth:
        """Return whether the call is open and its range is not empty."""
        pc = state[self._late.model.kernel.task_pc, place[1]]
        return conjunction(within(pc, self._open), negation(alike(state[place], 0)))

    def another(self, term: Value, _: Field) -> Truth:
        """One of the ranges that the scenario has."""
        return disjunction(*(alike(term, value) for value in self._late.values))

    def is_lost(self, place: Place, ends: Ends) -> Truth:
        """Return whether the range is what it was: then it is still open, or chosen just now."""
        return ends.unchanged(place)

    def moved(self, _: Collection[Place]) -> Iterable[Place]:
        """Nothing: a range is looked at in the step that reads it."""
        return ()

    def known(self, _: Pair, __: Value) -> Truth:
        """Nothing."""
        return True


class ForgottenMaps:
    """The hidden maps of other CPUs: those of a CPU itself are tried in each of its steps."""

    def __init__(self, hidden: HiddenMaps) -> None:
        """Forget what ``hidden`` says, on every CPU but the first, whose steps are asked."""
        self._hidden = hidden
        cpus = range(1, hidden.model.counts["cpu"])
        self._places = [(field, cpu) for cpu in cpus for field in hidden.fields]

    def covers(self, place: Place) -> bool:
        """The map of a TSS and what the design notes about it."""
        return place in self._places

    def may_be(self, place: Place, state: SymbolicState) -> Truth:
        """Return whether the map of the CPU is hidden."""
        on = Execution(self._hidden.model, Context(place[1], 0, "own"))
        return holds(on, self._hidden.condition(), state)

    def another(self, term: Value, field: Field) -> Truth:
        """Any value of the field."""
        return z3.ULT(term, 1 << field.width)

    def is_lost(self, place: Place, ends: Ends) -> Truth:
        """Return whether the map is still hidden, and still what it was."""
        hidden = (self.may_be(place, state) for state in ends.after)
        return conjunction(ends.unchanged(place), *hidden)

    def moved(self, _: Collection[Place]) -> Iterable[Place]:
        """Every one: it could come to light by a store of its base."""
        return self._places

    def known(self, pair: Pair, held: Value) -> Truth:
        """A number in a hidden TSS is nowhere else in either state, and is 0 in both or in none."""
        facts: list[Truth] = []
        for place in self._places:
            if place[0] in self._hidden.counters:
                one, two = (state[place] for state in pair)
                facts += [alike(one, 0) == alike(two, 0), *(_is_held(n, held) for n in (one, two))]
                facts.append(self.may_be(place, pair[0]) == self.may_be(place, pair[1]))
        return conjunction(*facts)


def _is_held(number: Value, held: Value) -> Truth:
    """Return whether a number is in a mask of numbers, or is none."""
    return disjunction(alike(number, 0), held & (1 << bits(number)) != 0)


def within(value: Value, known: list[tuple[int, int]]) -> Truth:
    """Return whether a value lies in one of some intervals."""
    if isinstance(value, int):
        return any(low <= value <= high for low, high in known)
    term = bits(value)
    return disjunction(*(z3.And(z3.UGE(term, low), z3.ULE(term, high)) for low, high in known))
