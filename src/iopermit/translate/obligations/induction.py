"""Obligations of the premises: they hold at first, and every step and event keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3

from iopermit.translate.model.evaluation import Evaluation
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.model.nodes import KERNEL_THREAD, USER, Expr, Stmt
from iopermit.translate.obligations.execution import Context, Execution, SymbolicState, Variables
from iopermit.translate.obligations.premises import premises
from iopermit.translate.obligations.values import conjunction, negation, truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iopermit.system.scenario import Scenario
    from iopermit.translate.model.model import Model
    from iopermit.translate.obligations.execution import Place


def broken_premises(model: Model, scenario: Scenario) -> Iterator[str]:
    """Yield each premise that does not hold at first, or that some step or event breaks."""
    start = Evaluation(model.fields, initial_values(scenario, model), {"cpu": 0, "task": 0})
    for premise in premises(model):
        if not start.value(premise.holds):
            yield f"{premise.name}: not so in the initial state"
    for name, fixed, guard, body in _transitions(model):
        yield from (f"{broken}: broken by {name}" for broken in _broken(model, fixed, guard, body))


def _transitions(
    model: Model,
) -> Iterator[tuple[str, Mapping[Place, int], Expr, tuple[Stmt, ...]]]:
    """Yield every step and event, on CPU 0 and of task 0: it stands for all."""
    kernel = model.kernel
    for step in model.steps.values():
        name = step.site.short if step.site is not None else step.label
        where = (kernel.cpu_pc, 0) if step.context == "cpu" else None
        fixed = {where: step.pc} if where else _running(model, step.pc)
        yield name, fixed, step.guard, step.body
    for pc, rules in ((USER, model.user_rules), (KERNEL_THREAD, model.thread_rules)):
        for rule in rules:
            yield rule.event, _running(model, pc), rule.guard, rule.body
    for rule in model.switch_rules:
        still = {(kernel.cpu_pc, 0): 0, (kernel.following, 0): 0}
        yield rule.event, still, rule.guard, rule.body


def _running(model: Model, pc: int) -> dict[Place, int]:
    kernel = model.kernel
    return {
        (kernel.current, 0): 1,
        (kernel.task_pc, 0): pc,
        (kernel.cpu_pc, 0): 0,
        (kernel.following, 0): 0,
    }


def _broken(
    model: Model, fixed: Mapping[Place, int], guard: Expr, body: tuple[Stmt, ...]
) -> list[str]:
    """Return the premises that do not hold after a step, though all held before."""
    on = Execution(model, Context(0, 0, "own"))
    start = SymbolicState(Variables(fixed))
    switching = any(field == model.kernel.cpu_pc for field, _ in fixed) and not any(
        field == model.kernel.task_pc for field, _ in fixed
    )
    possible = truth(on.value(guard, start))
    outcomes = [o for o in on.run(body, start) if not o.failed]
    known = [(p.name, p.holds) for p in premises(model)]
    solver = z3.Solver()
    solver.add(possible, *(truth(on.value(holds, start)) for _, holds in known))
    found = []
    for outcome in outcomes:
        after = outcome.state
        if outcome.target is not None:
            place = (model.kernel.cpu_pc if switching else model.kernel.task_pc, 0)
            after = after.with_values({place: outcome.target})
        for name, holds in known:
            wrong = conjunction(outcome.when, negation(truth(on.value(holds, after))))
            if wrong is False:
                continue
            solver.push()
            solver.add(*start.variables.ranges, wrong)
            if solver.check() != z3.unsat:
                found.append(name)
            solver.pop()
    return found
