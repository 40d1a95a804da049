"""Lowers what the processor consults: methods of one expression, which the specification asks.

They go through the same lowering as every expression of a design. The statements that come of it
(for conditionals, ``and``, ``or``, ``max``, ``min``) are folded into one expression, since guards
and the specification have no place for statements.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.translate.frontend.constants import Scope
from iopermit.translate.frontend.source import Method, find_method
from iopermit.translate.model.builder import differ, every, negate
from iopermit.translate.model.nodes import (
    Check,
    Expr,
    If,
    Let,
    Load,
    Select,
    Stmt,
    Temp,
)
from iopermit.translate.model.walk import map_expression, subexpressions

if TYPE_CHECKING:
    from iopermit.translate.environment.builder import EnvironmentBuilder
    from iopermit.translate.frontend.types import Value

_RESULTS: Final = {
    "map_in_force": ("an IoMapBase", {"enum"}),
    "limit_covers_map": ("True or False", {"bool"}),
    "iopl_in_force": ("an I/O privilege level, 0 to 3", {"int"}),
    "ports_beyond_map_allowed": ("True or False", {"bool"}),
}
"""What each of them returns, and the kinds of values that are one."""

_Environment = dict[Temp, Expr]


def consulted(builder: EnvironmentBuilder, name: str, arguments: dict[str, Value]) -> Expr:
    """Return what a consulted method gives, as one expression.

    Raises DesignError if it is not one expression, has another kind of result, or could crash.
    """
    method = find_method(builder.design, name)
    if method is None:
        message = f"{builder.design.__name__}.{name} has no source"
        raise TypeError(message)
    if len(method.parameters) != len(arguments):
        wanted = f"def {name}(self, {', '.join(arguments)}):"
        raise method.error(method.node, f"{name}() takes {len(arguments)} parameters", wanted)
    if method.expression is None:
        raise method.error(
            method.node, f"{name}() is more than one expression", "a single `return expression`"
        )
    expressions = builder.steps.expressions
    expressions.scope = Scope(method, arguments)
    value = expressions.value(method.expression)
    pending, expressions.out = expressions.out, []
    _check_result(method, value)
    known, crashes = _folded(pending, {}, builder)
    if crashes:
        raise method.error(
            method.expression,
            f"{name}() follows a pointer that may be NULL, or subtracts more than there is",
            "fields of the CPU, its TSS, its current task and self.globals",
        )
    return _inlined(value.expr, known)


def _check_result(method: Method, value: Value) -> None:
    wanted, kinds = _RESULTS[method.name]
    if value.type.kind not in kinds:
        assert method.expression is not None
        raise method.error(
            method.expression, f"{method.name}() gives a {value.type.kind}", f"return {wanted}"
        )


def _folded(
    body: list[Stmt] | tuple[Stmt, ...], known: _Environment, builder: EnvironmentBuilder
) -> tuple[_Environment, list[Expr]]:
    """Return the values of the temporaries after a body, and what makes a check in it fail."""
    known, crashes = dict(known), list[Expr]()
    for statement in body:
        match statement:
            case Let(temp, value):
                known[temp] = _inlined(value, known)
            case Check(bad, _, _) if not _is_of_current(bad, builder):
                crashes.append(_inlined(bad, known))
            case If(condition, then, otherwise):
                taken = _inlined(condition, known)
                yes, here = _folded(then, known, builder)
                no, there = _folded(otherwise, known, builder)
                crashes += [every(differ(taken, 0), bad) for bad in here]
                crashes += [every(negate(taken), bad) for bad in there]
                known |= {t: Select(taken, yes[t], no[t]) for t in yes.keys() & no.keys()}
    return known, crashes


def _is_of_current(bad: Expr, builder: EnvironmentBuilder) -> bool:
    """Return whether a check is about ``cpu.current``, which is never NULL and never gone."""
    pointers = [
        e.field
        for e in subexpressions(bad)
        if isinstance(e, Load) and e.field != builder.kernel_fields.task_pc
    ]
    return bool(pointers) and set(pointers) == {builder.current}


def _inlined(expr: Expr, known: _Environment) -> Expr:
    """Return an expression with the values of temporaries in their place."""
    return map_expression(expr, lambda part: known[part] if isinstance(part, Temp) else part)
