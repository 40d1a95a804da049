"""Every transition of a model, as something to execute: each step and event of one context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import KERNEL_THREAD, USER, Const, Expr, Mask
from iopermit.translate.model.walk import map_expression
from iopermit.translate.obligations.execution import (
    Context,
    Execution,
    SymbolicOutcome,
    SymbolicState,
)
from iopermit.translate.obligations.values import truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iopermit.translate.model.model import Model, Rule, Step
    from iopermit.translate.model.nodes import Stmt
    from iopermit.translate.obligations.execution import Place
    from iopermit.translate.obligations.values import Truth


@dataclass(frozen=True, eq=False)
class SymbolicTransition:
    """A step or an event, and where its context is before it."""

    name: str
    context: Context
    guard: Expr
    body: tuple[Stmt, ...]
    fixed: Mapping[Place, int]
    """Values that follow from where the context is."""
    starts_at: int
    """The program counter of the context before it."""
    switches: bool = False
    """Whether its program counter is that of a CPU."""
    step: Step | None = None
    rule: Rule | None = None


def transitions(model: Model, cpu: int = 0, task: int = 0) -> Iterator[SymbolicTransition]:
    """Yield every step and event, on one CPU and of one task, by default the first ones."""
    kernel, context = model.kernel, Context(cpu, task, "own")
    for step in model.steps.values():
        name = step.place
        switches = step.context == "cpu"
        fixed = {(kernel.cpu_pc, cpu): step.pc} if switches else running(model, context, step.pc)
        yield SymbolicTransition(
            name, context, step.guard, step.body, fixed, step.pc, switches, step
        )
    for pc, rules in ((USER, model.user_rules), (KERNEL_THREAD, model.thread_rules)):
        for rule in rules:
            fixed = running(model, context, pc)
            yield SymbolicTransition(
                named(rule), context, rule.guard, rule.body, fixed, pc, rule=rule
            )
    for rule in model.switch_rules:
        still = {(kernel.cpu_pc, cpu): 0, (kernel.following, cpu): 0}
        yield SymbolicTransition(
            named(rule), context, rule.guard, rule.body, still, 0, switches=True, rule=rule
        )


def named(rule: Rule) -> str:
    """Return the name of an event with its arguments."""
    arguments = ", ".join(f"{name}={value}" for name, value in rule.arguments)
    return f"{rule.event}({arguments})"


def outcomes(
    on: Execution, transition: SymbolicTransition, state: SymbolicState
) -> list[SymbolicOutcome]:
    """Return every way in which a transition can end, with the program counter after it."""
    kernel, context = on.model.kernel, on.context
    place = (kernel.cpu_pc, context.cpu) if transition.switches else (kernel.task_pc, context.task)
    return [
        o
        if o.target is None
        else SymbolicOutcome(o.when, o.state.with_values({place: o.target}), o.target, o.failed)
        for o in on.run(transition.body, state)
    ]


def holds(on: Execution, expr: Expr, state: SymbolicState) -> Truth:
    """Return whether an expression is not 0 in a state."""
    return truth(on.value(expr, state))


def running(model: Model, context: Context, pc: int) -> dict[Place, int]:
    """Return where the task of a context is when it runs on its CPU."""
    kernel = model.kernel
    return {
        (kernel.current, context.cpu): context.task + 1,
        (kernel.task_pc, context.task): pc,
        (kernel.cpu_pc, context.cpu): 0,
        (kernel.following, context.cpu): 0,
    }


def any_free_slot(guard: Expr) -> Expr:
    """Return a guard in which every free slot is a candidate: which, is a matter of names.

    A candidate is a free slot that is referenced or the lowest of the others.
    """

    def all_referenced(part: Expr) -> Expr:
        match part:
            case Mask("referenced", _):
                return Const((1 << 15) - 1)
        return part

    return map_expression(guard, all_referenced)
