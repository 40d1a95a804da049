"""Walks through the statements and expressions of a step, and renumbers where it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import (
    CHOICE,
    Binary,
    Check,
    Clear,
    Expr,
    Goto,
    If,
    Let,
    Load,
    Select,
    Stmt,
    Store,
    Temp,
    Unshared,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def statements(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """Yield every statement of a body, including those inside conditionals."""
    for statement in body:
        yield statement
        if isinstance(statement, If):
            yield from statements(statement.then)
            yield from statements(statement.otherwise)


def _values(body: tuple[Stmt, ...]) -> Iterator[Expr]:
    """Yield every expression of a body as a whole."""
    for statement in statements(body):
        match statement:
            case Store(_, index, value):
                yield index
                yield value
            case Let(_, value) | Check(value, _) | If(value) | Clear(_, value):
                yield value


def expressions(body: tuple[Stmt, ...]) -> Iterator[Expr]:
    """Yield every expression and subexpression of a body."""
    for value in _values(body):
        yield from subexpressions(value)


def subexpressions(value: Expr) -> Iterator[Expr]:
    """Yield an expression and all its parts, the whole before its parts.

    Every analysis asks it of every expression, so it does without recursion.
    """
    waiting = [value]
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, Load):
            waiting.append(value.index)
        elif isinstance(value, Binary):
            waiting += (value.right, value.left)
        elif isinstance(value, Select):
            waiting += (value.no, value.yes, value.condition)


def known_before(value: Expr) -> bool:
    """Return whether an expression can be evaluated in the state before its step.

    It uses nothing that the step computes, and not the outcome that is chosen for it.
    """
    return not any(isinstance(e, Temp) or e == CHOICE for e in subexpressions(value))


def loads(body: tuple[Stmt, ...]) -> list[Load]:
    """Return every load of a body, in the order of `expressions`."""
    found: list[Load] = []
    for value in _values(body):
        _collect_loads(value, found)
    return found


def loads_of(value: Expr) -> list[Load]:
    """Return every load of an expression, in the order of `subexpressions`."""
    found: list[Load] = []
    _collect_loads(value, found)
    return found


def _collect_loads(value: Expr, found: list[Load]) -> None:
    if isinstance(value, Load):
        found.append(value)
        _collect_loads(value.index, found)
    elif isinstance(value, Binary):
        _collect_loads(value.left, found)
        _collect_loads(value.right, found)
    elif isinstance(value, Select):
        _collect_loads(value.condition, found)
        _collect_loads(value.yes, found)
        _collect_loads(value.no, found)


def map_gotos(body: tuple[Stmt, ...], change: dict[int, int]) -> tuple[Stmt, ...]:
    """Return the body with the targets of all gotos renumbered."""
    result: list[Stmt] = []
    for statement in body:
        match statement:
            case Goto(target):
                result.append(Goto(change.get(target, target)))
            case If(condition, then, otherwise):
                branches = (map_gotos(branch, change) for branch in (then, otherwise))
                result.append(If(condition, *branches))
            case _:
                result.append(statement)
    return tuple(result)


def targets(body: tuple[Stmt, ...]) -> set[int]:
    """Return the steps that a body can go on to."""
    return {s.target for s in statements(body) if isinstance(s, Goto)}


def map_expressions(body: tuple[Stmt, ...], change: Callable[[Expr], Expr]) -> tuple[Stmt, ...]:
    """Return the body with every expression replaced, the parts of each before the whole."""

    def new(value: Expr) -> Expr:
        return map_expression(value, change)

    result: list[Stmt] = []
    for statement in body:
        match statement:
            case Let(temp, value):
                result.append(Let(temp, new(value)))
            case Store(field, index, value):
                result.append(Store(field, new(index), new(value)))
            case Check(bad, message, verdict):
                result.append(Check(new(bad), message, verdict))
            case If(condition, then, otherwise):
                branches = (map_expressions(branch, change) for branch in (then, otherwise))
                result.append(If(new(condition), *branches))
            case Clear(record, index):
                result.append(Clear(record, new(index)))
            case Goto():
                result.append(statement)
    return tuple(result)


def map_expression(value: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """Return an expression with every part replaced, innermost first."""

    def new(part: Expr) -> Expr:
        return map_expression(part, change)

    match value:
        case Load(field, index):
            value = Load(field, new(index))
        case Binary(op, left, right):
            value = Binary(op, new(left), new(right))
        case Select(condition, yes, no):
            value = Select(new(condition), new(yes), new(no))
        case Unshared(record, reference, owners):
            value = Unshared(record, new(reference), tuple(map(new, owners)))
    return change(value)
