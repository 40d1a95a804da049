"""Obligations of symmetry and of counter renaming: names do not matter to any transition.

States that differ in the numbers of tasks, CPUs and heap objects, or in the values of sequence
numbers, are one to the search. That is sound if each exchange of two names takes every transition
to a transition, and a state that violates the specification to one that does. It is asked here of
every exchange of two names, of which every other renaming consists, in arbitrary states. Which
free slot and which fresh number is taken is the same choice in both: those that nothing refers
to are alike, which the checker of the allocation rule has to argue, not the solver.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Final

import z3

from iopermit.translate.model.nodes import VERDICT
from iopermit.translate.obligations.execution import (
    Context,
    Execution,
    SymbolicState,
    Variables,
)
from iopermit.translate.obligations.solving import first_possible
from iopermit.translate.obligations.transitions import (
    any_free_slot,
    holds,
    outcomes,
    transitions,
)
from iopermit.translate.obligations.values import (
    Truth,
    alike,
    bits,
    choice,
    conjunction,
    disjunction,
    negation,
    truth,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iopermit.translate.model.model import Model
    from iopermit.translate.model.nodes import Field, RecordName
    from iopermit.translate.obligations.execution import Place
    from iopermit.translate.obligations.transitions import SymbolicTransition
    from iopermit.translate.obligations.values import Value

_OUTCOMES_DIFFER: Final = "renamed, it does something else"
_GUARDS_DIFFER: Final = "renamed, it is possible in other states"


@dataclass(frozen=True)
class Exchange:
    """Two names for each other: of slots of some records, or of sequence numbers."""

    name: str
    slots: Mapping[RecordName, tuple[int, int]]
    numbers: tuple[int, int] | None = None

    def slot(self, record: RecordName, slot: int) -> int:
        """Return the other name of a slot."""
        return _other(slot, self.slots.get(record))

    def place(self, place: Place) -> Place:
        """Return where the value of a place is found under the other names."""
        field, slot = place
        return field, self.slot(field.record, slot)

    def value(self, field: Field, value: Value) -> Value:
        """Return what a value of a field is under the other names."""
        if field.kind == "counter":
            return _exchanged(value, self.numbers)
        if field.kind == "ref" and field.target in self.slots:
            one, two = self.slots[field.target]
            return _exchanged(value, (one + 1, two + 1))
        return value

    def context(self, context: Context, allocated: RecordName) -> Context:
        """Return what executes a transition under the other names."""
        drawn = _exchanged(context.parameter("choice"), self.slots.get(allocated))
        cpu, task = self.slot("cpu", context.cpu), self.slot("task", context.task)
        return replace(context, cpu=cpu, task=task, slot=drawn)


class _Renamed(Variables):
    """The values of a state under other names."""

    def __init__(self, state: SymbolicState, exchange: Exchange) -> None:
        super().__init__({})
        self._state, self._exchange = state, exchange

    def __getitem__(self, place: Place) -> Value:
        return self._exchange.value(place[0], self._state[self._exchange.place(place)])


def exchanges(model: Model, *, symmetry: bool, counters: bool) -> Iterator[Exchange]:
    """Yield exchanges that all renamings of the reductions that are on consist of."""
    if symmetry:
        for one, two in combinations(range(model.tasks), 2):
            yield Exchange(f"tasks {one} and {two}", {"task": (one, two)})
        cpus = range(model.counts["cpu"]) if model.cpus_alike else ()
        for one, two in combinations(cpus, 2):
            idle = (model.tasks + one, model.tasks + two)
            pair = one, two
            yield Exchange(f"CPUs {one} and {two}", {"cpu": pair, "tss": pair, "task": idle})
        for record in model.heap:
            # Neighbours: every order of slots is reached by exchanging these.
            for slot in range(model.counts[record] - 1):
                yield Exchange(
                    f"slots {slot} and {slot + 1} of {record}", {record: (slot, slot + 1)}
                )
    if counters:
        most = max((f.high for f in model.fields if f.kind == "counter"), default=0)
        for number in range(1, most):
            yield Exchange(f"numbers {number} and {number + 1}", {}, (number, number + 1))


class Renamings:
    """The obligations that names do not matter, for one model."""

    def __init__(self, model: Model, *, symmetry: bool = True, counters: bool = True) -> None:
        """State those of the reductions that are on."""
        self.model = model
        self.asked = 0
        """How many obligations the solver was asked."""
        self._exchanges = list(exchanges(model, symmetry=symmetry, counters=counters))

    def failures(self) -> Iterator[str]:
        """Yield each obligation that fails: the transition, what is wrong, and which names."""
        for exchange in self._exchanges:
            if self._verdict_changes(exchange):
                yield f"the specification: {exchange.name} are not alike to it"
            for cpu, task in self._actors(exchange):
                known = list(transitions(self.model, cpu, task))
                for transition in known:
                    what = self._failure(transition, exchange, known)
                    if what:
                        yield f"{transition.name}: {what}: {exchange.name}"

    def _actors(self, exchange: Exchange) -> Iterator[tuple[int, int]]:
        """Yield who executes: one of the names that are exchanged, and any other one."""
        cpus, tasks = (self._either_kind(exchange, r) for r in ("cpu", "task"))
        yield from ((cpu, task) for cpu in cpus for task in tasks)

    def _either_kind(self, exchange: Exchange, record: RecordName) -> list[int]:
        """Return slots that stand for all: an exchanged one for the other, and those beside them.

        That exchanging is the other way round the same makes one of the two enough.
        """
        slots = range(self.model.tasks if record == "task" else self.model.counts["cpu"])
        pair = exchange.slots.get(record)
        if pair is None or pair[0] not in slots:
            return [0]
        return [slot for slot in slots if slot != pair[1]]

    # One obligation.

    def _failure(
        self, transition: SymbolicTransition, exchange: Exchange, known: list[SymbolicTransition]
    ) -> str:
        """Return what is wrong, or nothing: a rule may become another rule of the same event."""
        found = ""
        for image in _images(transition, exchange, known):
            found = self._compared(transition, image, exchange)
            if not found:
                break
        return found

    def _compared(
        self, transition: SymbolicTransition, image: SymbolicTransition, exchange: Exchange
    ) -> str:
        allocation = None if transition.step is None else transition.step.allocation
        record = "" if allocation is None else allocation.free.record
        start = SymbolicState(Variables(transition.fixed))
        other = SymbolicState(_Renamed(start, exchange))
        here = Execution(self.model, transition.context)
        there = Execution(self.model, exchange.context(transition.context, record))
        guards = [
            holds(on, any_free_slot(t.guard), state)
            for on, t, state in ((here, transition, start), (there, image, other))
        ]
        claims = [(_GUARDS_DIFFER, negation(_same_truth(*guards)))]
        for one in outcomes(here, transition, start):
            for two in outcomes(there, image, other):
                same = one.failed == two.failed and (one.failed or one.target == two.target)
                agree = conjunction(
                    same, one.failed or self._is_image(exchange, one.state, two.state)
                )
                both = conjunction(guards[0], one.when, two.when, negation(agree))
                claims.append((_OUTCOMES_DIFFER, both))
        facts = [*start.variables.ranges, *self._fresh(exchange, transition.context)]
        if allocation is not None:
            facts.append(z3.ULE(bits(here.context.parameter("choice")), allocation.slots))
            # With no slot free the search ends there, and leaves the verdict open.
            facts.append(holds(here, allocation.free, start))
        return self._possible(claims, facts)

    def _is_image(self, exchange: Exchange, one: SymbolicState, two: SymbolicState) -> Truth:
        """Return whether one state is the other under other names."""
        places = {*one.changed, *map(exchange.place, two.changed)}
        return conjunction(
            *(alike(exchange.value(p[0], one[p]), two[exchange.place(p)]) for p in places)
        )

    def _fresh(self, exchange: Exchange, context: Context) -> list[Truth]:
        """A fresh number is none of those that are exchanged: which one it is does not matter."""
        numbers = sum(1 << n for n in exchange.numbers or ())
        return [context.held_numbers() & numbers == numbers] if numbers else []

    def _verdict_changes(self, exchange: Exchange) -> bool:
        """Return whether renaming can make a state violate the specification, or stop to."""
        on = Execution(self.model, Context(0, 0, "own"))
        start = SymbolicState(Variables({}))
        other = SymbolicState(_Renamed(start, exchange))
        verdicts = [
            truth(on.computed(self.model.specification, state)[VERDICT]) for state in (start, other)
        ]
        changes = [("", negation(_same_truth(*verdicts)))]
        return self._possible(changes, start.variables.ranges, found="changes") != ""

    def _possible(
        self, claims: list[tuple[str, Truth]], facts: list[Truth], found: str = ""
    ) -> str:
        """Return the first claim that is possible, or an empty text."""
        left = [(what, formula) for what, formula in claims if formula is not False]
        if not left:
            return ""
        self.asked += 1
        solver = z3.Solver()
        solver.add(*facts)
        return first_possible(solver, [(what or found, formula) for what, formula in left])


def _images(
    transition: SymbolicTransition, exchange: Exchange, known: list[SymbolicTransition]
) -> Iterator[SymbolicTransition]:
    """Yield what a transition may be under other names: itself, or a rule with other arguments."""
    rule = transition.rule
    if rule is None:
        yield transition
        return
    pairs = [*exchange.slots.values()]
    for other in known:
        if other.rule is None or other.rule.event != rule.event:
            continue
        if other.starts_at != transition.starts_at or len(other.rule.arguments) != len(
            rule.arguments
        ):
            continue
        if all(
            mine[0] == theirs[0]
            and (mine[1] == theirs[1] or any(_other(mine[1], p) == theirs[1] for p in pairs))
            for mine, theirs in zip(rule.arguments, other.rule.arguments, strict=True)
        ):
            yield other


def _other(slot: int, pair: tuple[int, int] | None) -> int:
    if pair is None or slot not in pair:
        return slot
    return pair[1] if slot == pair[0] else pair[0]


def _exchanged(value: Value, pair: tuple[int, int] | None) -> Value:
    """Return a value, or the other one of a pair."""
    if pair is None:
        return value
    if isinstance(value, int):
        return _other(value, pair)
    one, two = pair
    return choice(alike(value, one), two, choice(alike(value, two), one, value))


def _same_truth(one: Truth, two: Truth) -> Truth:
    return disjunction(conjunction(one, two), conjunction(negation(one), negation(two)))
