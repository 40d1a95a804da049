"""Zeroes local variables as soon as nothing reads them any more, so that states can be equal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from iopermit.translate.model.nodes import (
    FIRST_STEP,
    Const,
    Field,
    Goto,
    If,
    StepParameter,
    Stmt,
    Store,
)
from iopermit.translate.model.walk import loads, statements, targets

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model, Rule


def clear_dead_variables(model: Model) -> None:
    """Zero each local variable on the way to steps where it is dead; drop unused variables."""
    live = live_variables(model)
    model.live = live
    for step in model.steps.values():
        touched = live[step.pc] | _stored(step.body)
        model.live_together.append(touched)
        step.body = _with_zeroes(step.body, touched, live, StepParameter(step.context))
    model.user_rules = [_without_dead(rule, live) for rule in model.user_rules]
    model.thread_rules = [_without_dead(rule, live) for rule in model.thread_rules]
    used = frozenset().union(*live.values())
    for step in model.steps.values():
        step.body = _without_unread(step.body, used)
    model.fields = [f for f in model.fields if not f.local or f in used]


def live_variables(model: Model) -> dict[int, frozenset[Field]]:
    """Return for each step the local variables whose value may still be read."""
    live: dict[int, frozenset[Field]] = dict.fromkeys(range(FIRST_STEP), frozenset())
    live |= dict.fromkeys(model.steps, frozenset())
    flow = [_VariableFlow.of(pc, model.steps[pc].body) for pc in sorted(model.steps, reverse=True)]
    changed = True
    while changed:
        changed = False
        for pc, following, certain, read in flow:
            after = frozenset().union(*(live[t] for t in following))
            now = read | (after - certain)
            if now != live[pc]:
                live[pc], changed = now, True
    return live


class _VariableFlow(NamedTuple):
    """What a step does to local variables."""

    pc: int
    following: set[int]
    """The steps that it can go on to."""
    certain: frozenset[Field]
    """The variables that it certainly writes."""
    read: frozenset[Field]

    @classmethod
    def of(cls, pc: int, body: tuple[Stmt, ...]) -> _VariableFlow:
        """Look at the body of a step."""
        return cls(pc, targets(body), _certain(body), _read(body))


def _certain(body: tuple[Stmt, ...]) -> frozenset[Field]:
    """Return the local variables that are written on every way through a body."""
    found: set[Field] = set()
    for statement in body:
        match statement:
            case Store() if _is_local(statement):
                found.add(statement.field)
            case If(_, then, otherwise):
                found |= _certain(then) & _certain(otherwise)
                if targets((statement,)):
                    break  # what comes behind it is not on every way
            case Goto():
                break
    return frozenset(found)


def _is_local(store: Store) -> bool:
    return store.field.local and isinstance(store.index, StepParameter)


def _read(body: tuple[Stmt, ...]) -> frozenset[Field]:
    return frozenset(load.field for load in loads(body) if load.field.local)


def _stored(body: tuple[Stmt, ...]) -> frozenset[Field]:
    return frozenset(s.field for s in statements(body) if isinstance(s, Store) and _is_local(s))


def _with_zeroes(
    body: tuple[Stmt, ...],
    touched: frozenset[Field],
    live: dict[int, frozenset[Field]],
    context: StepParameter,
) -> tuple[Stmt, ...]:
    result: list[Stmt] = []
    for statement in body:
        if isinstance(statement, Goto):
            dead = sorted(touched - live[statement.target], key=lambda f: f.name)
            result += [Store(f, context, Const(0)) for f in dead]
        if isinstance(statement, If):
            branches = (
                _with_zeroes(branch, touched, live, context)
                for branch in (statement.then, statement.otherwise)
            )
            result.append(If(statement.condition, *branches))
        else:
            result.append(statement)
    return tuple(result)


def _without_unread(body: tuple[Stmt, ...], used: frozenset[Field]) -> tuple[Stmt, ...]:
    """Drop the stores to variables that nothing ever reads."""
    result: list[Stmt] = []
    for statement in body:
        if isinstance(statement, If):
            branches = (
                _without_unread(branch, used) for branch in (statement.then, statement.otherwise)
            )
            result.append(If(statement.condition, *branches))
        elif not (
            isinstance(statement, Store) and statement.field.local and statement.field not in used
        ):
            result.append(statement)
    return tuple(result)


def _without_dead(rule: Rule, live: dict[int, frozenset[Field]]) -> Rule:
    wanted = live.get(rule.starts, frozenset())
    body = tuple(
        s
        for s in rule.body
        if not (isinstance(s, Store) and s.field.local and s.field not in wanted)
    )
    return replace(rule, body=body)
