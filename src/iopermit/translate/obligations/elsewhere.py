"""The obligation of a merged step before which its task can be preempted: any CPU will do.

Such a step, done early, is done on the CPU that its task is on. Were it done when it is due, the
task could be on another CPU by then, or on the same one after others. So what it does must not
depend on the CPU in any state in which the task is not running.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import z3

from iopermit.translate.obligations.execution import Execution, SymbolicState, Variables
from iopermit.translate.obligations.values import alike, conjunction, negation, truth

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.translate.model.model import Model, Step
    from iopermit.translate.model.nodes import Expr
    from iopermit.translate.obligations.execution import SymbolicOutcome
    from iopermit.translate.obligations.rivals import Placement
    from iopermit.translate.obligations.values import Truth


def depends_on_cpu(
    model: Model, step: Step, placement: Placement, condition: Expr, premises: Sequence[Expr]
) -> bool:
    """Return whether a step can do something else on one CPU than on another.

    Args:
        model: the model of the step.
        step: a step of a task.
        placement: where its task is, on a CPU that has nothing but the task.
        condition: when it is merged.
        premises: what is true in every state.
    """
    kernel, first = model.kernel, placement.context
    second = replace(first, cpu=first.cpu + 1)
    runs = {(kernel.current, second.cpu): first.task + 1}
    start = SymbolicState(Variables({**placement.fixed, **runs}))
    here, there = (Execution(model, context) for context in (first, second))
    outcomes = here.run(step.body, start)
    if not any(slot == first.cpu and field != kernel.current for field, slot in here.read):
        return False
    solver = z3.Solver()
    solver.add(*(truth(here.value(e, start)) for e in (condition, placement.where, *premises)))
    pairs = itertools.product(outcomes, there.run(step.body, start))
    return any(_differ(solver, start, one, other) for one, other in pairs)


def _differ(
    solver: z3.Solver, start: SymbolicState, one: SymbolicOutcome, other: SymbolicOutcome
) -> bool:
    """Return whether both outcomes can come of the same state though they are not the same."""
    both = conjunction(one.when, other.when, negation(_same(one, other)))
    if both is False:
        return False
    return bool(solver.check(both, *start.variables.ranges) != z3.unsat)


def _same(one: SymbolicOutcome, other: SymbolicOutcome) -> Truth:
    if one.failed or other.failed:
        return one.failed == other.failed
    places = one.state.changed.keys() | other.state.changed.keys()
    goes_on = True if one.target is None else alike(one.target, other.target)
    return conjunction(goes_on, *(alike(one.state[p], other.state[p]) for p in places))
