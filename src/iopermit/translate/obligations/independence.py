"""Obligations of the reductions that forget values: nothing depends on what they forget.

Two states that differ in nothing but a dead field of a task, in the ports of an ioperm() call
that nobody has looked at, or in a map behind a bad base of another CPU, are one to the search.
That is sound if every transition does the same in both, up to what may be forgotten afterwards
too, and the specification says the same. It is asked here of every transition, in arbitrary
states, with arbitrary values of what is forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import z3

from iopermit.translate.model.nodes import VERDICT, Store
from iopermit.translate.obligations.execution import Context, Execution, SymbolicState, Variables
from iopermit.translate.obligations.forgotten import Ends
from iopermit.translate.obligations.premises import all_premises
from iopermit.translate.obligations.transitions import holds, named, outcomes, transitions
from iopermit.translate.obligations.values import (
    BITS,
    Truth,
    Value,
    alike,
    choice,
    conjunction,
    disjunction,
    negation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iopermit.translate.analyses.late_arguments import LateArguments
    from iopermit.translate.model.model import Model, Rule
    from iopermit.translate.obligations.execution import Place, SymbolicOutcome
    from iopermit.translate.obligations.forgotten import Forgotten, Pair
    from iopermit.translate.obligations.transitions import SymbolicTransition

_DIFFERS: Final = "it depends on what is forgotten"


class _Differing(Variables):
    """The values of a state but for what is forgotten, which is arbitrary."""

    def __init__(self, state: SymbolicState, forgotten: Forgotten) -> None:
        super().__init__({})
        self._state, self._forgotten = state, forgotten
        self.facts: list[Truth] = []

    def __getitem__(self, place: Place) -> Value:
        value = self._state[place]
        if not self._forgotten.covers(place):
            return value
        field, slot = place
        term = z3.BitVec(f"another {field.name}[{slot}]", BITS)
        self.facts.append(self._forgotten.another(term, field))
        return choice(self._forgotten.may_be(place, self._state), term, value)


class Independence:
    """The obligations that nothing depends on what one reduction forgets."""

    def __init__(self, model: Model, forgotten: Forgotten) -> None:
        """State those of ``forgotten``."""
        self.model, self.forgotten = model, forgotten
        self.asked = 0
        """How many obligations the solver was asked."""
        self._premises = [p.holds for p in all_premises(model)]

    def failures(self) -> Iterator[str]:
        """Yield each obligation that fails."""
        if self._verdict_depends():
            yield f"the specification: {_DIFFERS}"
        for transition in transitions(self.model):
            if self._depends(transition):
                yield f"{transition.name}: {_DIFFERS}"

    def _depends(self, transition: SymbolicTransition) -> bool:
        on, before = self._pair(transition.fixed, transition.context)
        guards = [holds(on, transition.guard, state) for state in before]
        claims = [conjunction(guards[0], negation(guards[1]))]
        claims.append(conjunction(guards[1], negation(guards[0])))
        for one in outcomes(on, transition, before[0]):
            for two in outcomes(on, transition, before[1]):
                when = conjunction(guards[0], one.when, two.when)
                claims.append(conjunction(when, negation(self._alike(one, two, before))))
        return self._possible(claims, on, before)

    def _alike(self, one: SymbolicOutcome, two: SymbolicOutcome, before: Pair) -> Truth:
        """Return whether two outcomes are one, up to what may be forgotten."""
        if one.failed or two.failed or one.target != two.target:
            return one.failed and two.failed
        ends = Ends(before, (one.state, two.state))
        # Elsewhere there is no difference that was none before.
        written = {*one.state.changed, *two.state.changed}
        places = written | set(self.forgotten.moved(written))
        return conjunction(
            *(
                disjunction(alike(one.state[place], two.state[place]), self._is_lost(place, ends))
                for place in places
            )
        )

    def _is_lost(self, place: Place, ends: Ends) -> Truth:
        return self.forgotten.covers(place) and self.forgotten.is_lost(place, ends)

    def _verdict_depends(self) -> bool:
        on, before = self._pair({}, Context(0, 0, "own"))
        one, two = (on.computed(self.model.specification, state)[VERDICT] for state in before)
        return self._possible([negation(alike(one, two))], on, before)

    def _pair(self, fixed: Mapping[Place, int], context: Context) -> tuple[Execution, Pair]:
        """Return a state and one that differs from it in what is forgotten, to execute from."""
        start = SymbolicState(Variables(fixed))
        other = SymbolicState(_Differing(start, self.forgotten))
        return Execution(self.model, context), (start, other)

    def _possible(self, claims: list[Truth], on: Execution, before: Pair) -> bool:
        wrong = disjunction(*claims)
        if wrong is False:
            return False
        self.asked += 1
        start, other = before
        solver = z3.Solver()
        solver.add(*(holds(on, fact, start) for fact in self._premises))
        assert isinstance(other.variables, _Differing)
        solver.add(self.forgotten.known(before, on.context.held_numbers()))
        solver.add(*start.variables.ranges, *other.variables.facts)
        return bool(solver.check(wrong) != z3.unsat)


def unequal_calls(model: Model, late: LateArguments) -> Iterator[str]:
    """Yield calls of ioperm() that are left out though they differ in more than the range."""
    kept = {
        _without_range(rule, late)
        for rule in model.user_rules
        if late.values and late.value(rule) == late.values[0]
    }
    for rule in model.user_rules:
        if late.is_redundant(rule) and _without_range(rule, late) not in kept:
            yield f"{named(rule)}: no other call stands for it"


def _without_range(rule: Rule, late: LateArguments) -> tuple[object, ...]:
    """Return all of a call but for the range and how reports tell of it."""
    body = tuple(s for s in rule.body if not (isinstance(s, Store) and s.field == late.field))
    return rule.event, rule.guard, body, rule.starts
