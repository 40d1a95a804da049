"""Interprets expressions of the design language, over many states at once.

An expression is read without anything in between: it is part of one atomic step. ``and``, ``or``
and ``a if c else b`` look at an operand only in the states where Python would, so that an operand
that is not looked at cannot crash.
"""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from iopermit.certify.language.constants import Constants, Scope, Value
from iopermit.certify.language.source import Method, find_method
from iopermit.certify.state import FREE, Batch, Column, Layout, Numbers, Read, Rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.certify.errors import UnacceptableError
    from iopermit.system.design import Design

_COMPARISONS: Final[dict[type[ast.cmpop], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Is: operator.eq,
    ast.IsNot: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_NUMBERS: Final = frozenset({"bool", "int", "longs", "result"})


class Expressions(Constants):
    """Gives expressions of a design their meaning."""

    def __init__(
        self, design: type[Design], layout: Layout, variables: dict[str, Column], record: str
    ) -> None:
        """Interpret code of ``record``, a task or CPU, that has these local variables."""
        super().__init__(design, variables)
        self.layout, self.record = layout, record
        self.reads: set[Column] = set()
        """The local variables read since the last step was made."""

    def value(self, node: ast.expr) -> Value:  # noqa: PLR0911 - one per kind of expression
        """Return what an expression means."""
        constant = self.constant(node)
        if constant is not None:
            return constant
        match node:
            case ast.Name():
                return self._name(node)
            case ast.Attribute():
                return self._field(node)
            case ast.UnaryOp(op=ast.Not()):
                read = self.truth(node.operand)
                return Value(lambda b, r: _flags(read(b, r), r) == 0, "bool")
            case ast.BoolOp():
                return self._short_circuit(node)
            case ast.IfExp():
                return self._conditional(node)
            case ast.Compare(ops=[compared]) if type(compared) in _COMPARISONS:
                return self._compare(node, _COMPARISONS[type(compared)])
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self._sum(node)
            case ast.Call():
                return self._call(node)
        raise self.unacceptable(node, f"`{ast.unparse(node)}`")

    def unacceptable(self, node: ast.AST, message: str) -> UnacceptableError:
        """Return an error about code of the method at hand."""
        return self.scope.method.unacceptable(node, message)

    def truth(self, node: ast.expr) -> Read:
        """Return how to read a condition."""
        value = self.value(node)
        if value.kind not in _NUMBERS:
            raise self.unacceptable(node, f"the truth of `{ast.unparse(node)}`")
        return value.read

    # Tests that are no step.

    def decided(self, node: ast.expr) -> bool | None:
        """Return the value of a test of nothing but the design's own constants, else None.

        Such a test is decided when the kernel is built; it is no step.
        """
        parts = list(ast.walk(node))
        names = {part.id for part in parts if isinstance(part, ast.Name)}
        state = any(isinstance(p, ast.Attribute) and p.attr == "globals" for p in parts)
        if names - {"self"} or state or any(isinstance(p, ast.Call) for p in parts):
            return None
        read = self.truth(node)
        return bool(np.all(read(_NOTHING, _NOTHING.rows)))

    # State.

    def variable(self, column: Column) -> Value:
        """Return the value of a local variable."""

        def read(b: Batch, r: Rows) -> Numbers:
            slot = b.cpu if column.record == "cpu" else b.task[r]
            return b.load(column, slot, r)

        self.reads.add(column)
        return Value(read, column.kind, column.target)

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.scope.names:
            return self.scope.names[node.id]()
        column = self.variables.get(self.scope.prefix + node.id)
        if column is None:
            raise self.unacceptable(node, f"{node.id!r} has no value here")
        return self.variable(column)

    def _field(self, node: ast.Attribute) -> Value:
        if isinstance(node.value, ast.Name) and node.value.id == "self" and node.attr == "globals":
            return Value(lambda _b, _r: 1, "ref", "globals")
        base = self.value(node.value)
        if base.target == "cpu" and node.attr == "tss":
            return Value(base.read, "ref", "tss")
        column = self.layout.columns.get((base.target, node.attr))
        if base.kind != "ref" or column is None or not column.declared:
            raise self.unacceptable(node, f"`{ast.unparse(node)}` is no field")
        slot = self.slot(base, ast.unparse(node.value))
        kind = column.kind
        return Value(
            lambda b, r: b.load(column, slot(b, r), r), kind, column.target, place=(column, slot)
        )

    def slot(self, base: Value, text: str) -> Read:
        """Return how to follow a reference; following a bad one is a crash."""
        target = base.target

        def follow(b: Batch, r: Rows) -> Numbers:
            reference = base.read(b, r)
            b.refuse(reference == 0, r, f"null pointer dereference: {text} is NULL")
            self.check_alive(b, r, target, reference - 1, text)
            return reference - 1

        return follow

    def check_alive(self, b: Batch, r: Rows, record: str, slot: Numbers, text: str) -> None:
        """Crash where a slot is not in use."""
        in_use = self.layout.in_use(record)
        if in_use is not None:
            b.refuse(b.load(in_use, slot, r) == 0, r, f"use after free: {text} was freed")
        elif record == "task":
            gone = b.load(self.layout["task", "at"], slot, r) == FREE
            b.refuse(gone, r, f"use after free: the task {text} is gone")

    # Operators.

    def _short_circuit(self, node: ast.BoolOp) -> Value:
        operands = [self.value(each) for each in node.values]
        if any(value.kind != "bool" for value in operands):
            raise self.unacceptable(node, "`and` or `or` of something that is no truth value")
        goes_on = isinstance(node.op, ast.And)

        def read(b: Batch, r: Rows) -> Numbers:
            result = _flags(operands[0].read(b, r), r) != 0
            for operand in operands[1:]:
                more = np.flatnonzero(result == goes_on)
                if more.size:
                    result[more] = _flags(operand.read(b, r[more]), more) != 0
            return result

        return Value(read, "bool")

    def _conditional(self, node: ast.IfExp) -> Value:
        condition = self.truth(node.test)
        yes, no = self.value(node.body), self.value(node.orelse)
        kind, target = self.join(node, (yes.kind, yes.target), (no.kind, no.target))
        if kind == "longs":
            self.number_kind(node, yes, no)

        def read(b: Batch, r: Rows) -> Numbers:
            chosen = _flags(condition(b, r), r) != 0
            result = np.zeros(r.shape, np.int32)
            for value, which in ((yes, np.flatnonzero(chosen)), (no, np.flatnonzero(~chosen))):
                if which.size:
                    result[which] = value.read(b, r[which])
            return result

        return Value(read, kind, target)

    def join(
        self, node: ast.AST | None, one: tuple[str, str], other: tuple[str, str]
    ) -> tuple[str, str]:
        """Return the kind of something that can be of two kinds; an empty one is not known yet."""
        if "" in (one[0], other[0]):
            return max(one, other)
        if one[0] == other[0] and "" in (one[1], other[1]):
            return one[0], one[1] or other[1]
        for wider in ("result", "longs"):
            if {one[0], other[0]} == {"int", wider}:
                return wider, ""
        if one != other:
            raise self.unacceptable(node or ast.Pass(), "something is of two kinds")
        return one

    def _compare(self, node: ast.Compare, compare: Any) -> Value:  # noqa: ANN401 - of operator
        left, right = self.value(node.left), self.value(node.comparators[0])
        kinds = {left.kind, right.kind}
        zero = 0 in (left.constant, right.constant)
        if "longs" in kinds:
            self.number_kind(node, left, right)
            kinds = {"int"}
        if len(kinds) > 1 and not (
            kinds <= {"int", "result"} or (kinds == {"counter", "int"} and zero)
        ):
            raise self.unacceptable(node, "two different kinds are compared")
        if kinds & {"ref", "counter"} and compare not in (operator.eq, operator.ne):
            # Slots and sequence numbers are names: renaming them must not show.
            raise self.unacceptable(node, "the order of two names is compared")
        if left.target and right.target and left.target != right.target:
            raise self.unacceptable(node, "references to different records are compared")
        one, other = left.read, right.read
        return Value(lambda b, r: compare(one(b, r), other(b, r)), "bool")

    def _sum(self, node: ast.BinOp) -> Value:
        left, right = self.value(node.left), self.value(node.right)
        kind = self.number_kind(node, left, right)
        if isinstance(node.op, ast.Add):
            return Value(lambda b, r: left.read(b, r) + right.read(b, r), kind)
        text = ast.unparse(node)

        def subtract(b: Batch, r: Rows) -> Numbers:
            result = left.read(b, r) - right.read(b, r)
            b.refuse(np.less(result, 0), r, f"{text} is negative")
            return result

        return Value(subtract, kind)

    def number_kind(self, node: ast.AST, *values: Value) -> str:
        """Return the kind of a number made of numbers.

        A plain number that goes with numbers of longs counts real ones. A scenario that has fewer
        longs could not tell it from all of them.
        """
        kinds = {value.kind for value in values}
        if not kinds <= {"int", "longs"}:
            raise self.unacceptable(node, "arithmetic with something that is no number")
        if "longs" not in kinds:
            return "int"
        longs = self.layout.scenario.longs
        plain = [value.constant for value in values if value.kind == "int"]
        if None in plain:
            raise self.unacceptable(node, "a plain number is used as a number of longs")
        real = max((each for each in plain if each is not None), default=0)
        if real > longs:
            message = f"{real} longs are named, of which a scenario with {longs} has too few"
            raise self.unacceptable(node, message)
        return "longs"

    def _call(self, node: ast.Call) -> Value:
        match node:
            case ast.Call(func=ast.Name(id="max" | "min" as which), args=[a, b], keywords=[]):
                one, other = self.value(a), self.value(b)
                kind = self.number_kind(node, one, other)
                pick = np.maximum if which == "max" else np.minimum
                return Value(lambda b, r: pick(one.read(b, r), other.read(b, r)), kind)
            case ast.Call(func=ast.Attribute(value=ports, attr="is_valid"), args=end, keywords=[]):
                value = self.value(ports)
                known = [getattr(self.constant(each), "constant", None) for each in end]
                if value.kind == "ports" and known in ([], [self.design.layout.map_ports]):
                    # The arguments of a scenario are ranges of the map, or the empty one.
                    return Value(lambda b, r: value.read(b, r) != 0, "bool")
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name), keywords=[]):
                method = find_method(self.design, name)
                if method is not None and method.expression is not None:
                    return self._consult(node, method, method.expression)
        raise self.unacceptable(node, f"`{ast.unparse(node)}`")

    def _consult(self, node: ast.Call, method: Method, expression: ast.expr) -> Value:
        """Return the value of a method that is one expression."""
        if len(node.args) != len(method.parameters):
            raise self.unacceptable(node, f"{method.name}() has other parameters")
        outer = self.scope
        arguments = [self.by_name(outer, argument) for argument in node.args]
        return self.within(
            Scope(method, dict(zip(method.parameters, arguments, strict=True)), f"{method.name}()"),
            expression,
        )

    def by_name(self, scope: Scope, node: ast.expr) -> Callable[[], Value]:
        """Return what gives the value of an expression of some scope."""
        return lambda: self.within(scope, node)

    def within(self, scope: Scope, node: ast.expr) -> Value:
        """Return the value of an expression of another scope."""
        outer = getattr(self, "scope", scope)
        self.scope = scope
        try:
            return self.value(node)
        finally:
            self.scope = outer


def _flags(value: Numbers, rows: Rows) -> Numbers:
    """Return one number for each row."""
    return np.array(np.broadcast_to(value, rows.shape))


_NOTHING = Batch(np.zeros((1, 1), np.int32), 0, np.zeros(1, np.int32), np.zeros(1, np.intp))
