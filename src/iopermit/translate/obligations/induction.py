"""Obligations of the premises: they hold at first, and every step and event keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3

from iopermit.translate.model.evaluation import Evaluation
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.obligations.dead_variables import not_zeroed
from iopermit.translate.obligations.execution import Execution, SymbolicState, Variables
from iopermit.translate.obligations.premises import all_premises
from iopermit.translate.obligations.solving import first_possible
from iopermit.translate.obligations.transitions import (
    SymbolicTransition,
    holds,
    outcomes,
    transitions,
)
from iopermit.translate.obligations.values import conjunction, negation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.system.scenario import Scenario
    from iopermit.translate.model.model import Model


def broken_premises(model: Model, scenario: Scenario) -> Iterator[str]:
    """Yield each premise that does not hold at first, or that some step or event breaks."""
    start = Evaluation(model.fields, initial_values(scenario, model), {"cpu": 0, "task": 0})
    for premise in all_premises(model):
        if not start.value(premise.holds):
            yield f"{premise.name}: not so in the initial state"
    yield from not_zeroed(model)
    # CPU 0 and task 0 stand for all.
    for each in transitions(model):
        yield from (f"{broken}: broken by {each.name}" for broken in _broken(model, each))


def _broken(model: Model, transition: SymbolicTransition) -> list[str]:
    """Return the premises that do not hold after a step, though all held before."""
    on = Execution(model, transition.context)
    start = SymbolicState(Variables(transition.fixed))
    possible = holds(on, transition.guard, start)
    ends = [o for o in outcomes(on, transition, start) if not o.failed]
    known = all_premises(model)
    solver = z3.Solver()
    solver.add(possible, *(holds(on, p.holds, start) for p in known))
    claims = [
        (premise.name, conjunction(outcome.when, negation(holds(on, premise.holds, outcome.state))))
        for outcome in ends
        for premise in known
    ]
    claims = [(name, wrong) for name, wrong in claims if wrong is not False]
    solver.add(*start.variables.ranges)
    found = []
    while claims and (broken := first_possible(solver, claims)):
        found.append(broken)
        claims = [(name, wrong) for name, wrong in claims if name != broken]
    return found
