"""Obligation of a premise: a local variable that nothing will read is zero.

So the pointers in dead variables refer to nothing, and keep no object. This is seen from the text
of the steps: on each way through one, what ends there or is not needed behind it is zeroed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.translate.model.nodes import (
    FIRST_STEP,
    Const,
    Expr,
    Field,
    Goto,
    If,
    StepParameter,
    Stmt,
    Store,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iopermit.translate.model.model import Model, Rule, Step

_ZERO: Final = Const(0)
_NAME: Final = "a variable that is not live is zero"


def not_zeroed(model: Model) -> Iterator[str]:
    """Yield each step or event that may leave a value in a local variable that is dead there."""
    for step in model.steps.values():
        before = model.live.get(step.pc, frozenset())
        for target, stored in _ways(step.body, {}, StepParameter(step.context)):
            after = model.live.get(target, frozenset()) if target >= FIRST_STEP else frozenset()
            left = {field for field in before if field not in stored}
            left |= {field for field, value in stored.items() if value != _ZERO}
            if left - after:
                yield f"{_NAME}: broken by {step.place}"
    for rule in (*model.user_rules, *model.thread_rules, *model.switch_rules):
        if _leaves(rule, model):
            yield f"{_NAME}: broken by {rule.event}"


def dead_pointers(model: Model, step: Step) -> list[Field]:
    """Return the pointers to heap objects that are zero before a step, of its own context."""
    live = model.live.get(step.pc, frozenset())
    return [
        field
        for field in model.fields
        if field.local
        and field.record == step.context
        and field.kind == "ref"
        and field.target in model.heap
        and field not in live
    ]


def _ways(
    body: tuple[Stmt, ...], stored: Mapping[Field, Expr], own: Expr
) -> Iterator[tuple[int, dict[Field, Expr]]]:
    """Yield where a body can go on to, with what it stored into local variables on the way."""
    known = dict(stored)
    for index, statement in enumerate(body):
        match statement:
            case Store(field, slot, value) if field.local:
                # Into the variable of another, only zero leaves it dead.
                known[field] = value if slot == own else _other(value)
            case If(_, then, otherwise):
                for branch in (then, otherwise):
                    yield from _ways((*branch, *body[index + 1 :]), known, own)
                return
            case Goto(target):
                yield target, known
                return


def _other(value: Expr) -> Expr:
    return value if value == _ZERO else Const(-1)


def _leaves(rule: Rule, model: Model) -> bool:
    wanted = model.live.get(rule.starts, frozenset())
    stores = [s for s in rule.body if isinstance(s, Store) and s.field.local]
    return any(s.value != _ZERO and s.field not in wanted for s in stores)
