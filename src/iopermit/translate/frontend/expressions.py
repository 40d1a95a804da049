"""Lowers expressions of the design language: checks, short circuits, field accesses."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from iopermit.translate.frontend.comparisons import COMPARISONS, comparison
from iopermit.translate.frontend.constants import Scope, constant_value
from iopermit.translate.frontend.longs import LongsNumbers
from iopermit.translate.frontend.source import find_method
from iopermit.translate.frontend.types import (
    BOOL,
    Type,
    Value,
    arithmetic,
    field_value,
    pointer,
)
from iopermit.translate.model.builder import binary, differ, equal, negate
from iopermit.translate.model.nodes import (
    FREE,
    TASK,
    Check,
    Const,
    Expr,
    If,
    Let,
    Load,
    StepParameter,
    Stmt,
    Temp,
)

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.translate.frontend.declare import Declarations
    from iopermit.translate.model.nodes import Field


class Expressions:
    """Lowers expressions of one design into statements of the step being built."""

    def __init__(self, design: type[Design], declarations: Declarations, most_longs: int) -> None:
        """Prepare for ``design``, whose maps have ``most_longs`` longs in the scenario."""
        self.design = design
        self.records = declarations
        self.fields = {(f.record, f.name): f for f in declarations.fields}
        self.longs = LongsNumbers(declarations.longs, most_longs)
        self.out: list[Stmt] = []
        self.context: StepParameter = StepParameter("task")
        self.scope: Scope
        self._temps = 0
        self._shared: list[ast.AST] = []

    # Entry points.

    def value(self, node: ast.expr) -> Value:
        """Lower a whole expression; shared state may be read once in it."""
        self._shared = []
        result = self._value(node)
        if len(self._shared) > 1:
            raise self.scope.method.error(
                self._shared[1],
                "a second access to shared state in one step (heap objects and globals are shared)",
                "read the first one into a local variable in a statement of its own",
            )
        return result

    def truth(self, node: ast.expr) -> Expr:
        """Lower a condition."""
        value = self.value(node)
        return self._truth(node, value)

    # Expressions.

    def _value(self, node: ast.expr) -> Value:  # noqa: PLR0911 - one per kind of expression
        known = constant_value(self.design, self.scope, node)
        if known is not None:
            return known
        match node:
            case ast.Name():
                return self._name(node)
            case ast.Attribute():
                return self._attribute(node)
            case ast.UnaryOp(op=ast.Not()):
                return Value(negate(self._truth(node.operand, self._value(node.operand))), BOOL)
            case ast.BoolOp():
                return self._short_circuit(node)
            case ast.Compare(ops=[operator]) if type(operator) in COMPARISONS:
                return self._compare(node)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return self._sum(node)
            case ast.IfExp():
                return self._conditional(node)
            case ast.Call():
                return self._call(node)
        raise self._unsupported(node)

    def _unsupported(self, node: ast.expr) -> Exception:
        return self.scope.method.error(
            node,
            f"the design language has no {_describe(node)}",
            "names, fields, + - max() min(), comparisons, and/or/not, `a if c else b`",
        )

    def _name(self, node: ast.Name) -> Value:
        if node.id in self.scope.names:
            return self.scope.names[node.id]
        if node.id in self.scope.locals:
            local = self.scope.locals[node.id]
            return self._read(local, Load(local, self.context))
        raise self.scope.method.error(
            node,
            f"{node.id!r} has no value here",
            "a parameter, or a local variable assigned before",
        )

    def _attribute(self, node: ast.Attribute) -> Value:
        if isinstance(node.value, ast.Name) and node.value.id == "self":
            if node.attr == "globals":
                return pointer("globals", Const(0))
            raise self.scope.method.error(
                node,
                f"{self.design.__name__} has no constant {node.attr!r}",
                "self.globals.field for state",
            )
        base = self._value(node.value)
        if base.type.kind != "ref":
            raise self.scope.method.error(
                node, "only records have fields", "a field of a pointer to a record"
            )
        if base.type.target == "cpu" and node.attr == "tss":
            return pointer("tss", base.pointed)
        declared = self.fields.get((base.type.target, node.attr))
        if declared is None:
            raise self.scope.method.error(
                node,
                f"{base.type.target or 'NULL'} has no field {node.attr!r}",
                "a field that the record declares",
            )
        self.check_pointer(node.value, base)
        if base.type.target == "globals" or base.type.target in self.records.heap:
            self._shared.append(node)
        return self._read(declared, Load(declared, base.pointed))

    def _read(self, field: Field, load: Expr) -> Value:
        return self.longs.marked(field, field_value(field, load))

    def counting(self, node: ast.expr, value: Value) -> Value:
        """Return a number that must count longs. Raises DesignError if it does not."""
        return self.longs.counting(self.scope.method, node, value)

    def _alike(self, nodes: tuple[ast.expr, ast.expr], pair: tuple[Value, Value]) -> list[Value]:
        return self.longs.alike(self.scope.method, nodes, pair)

    def check_no_this_cpu(self, node: ast.expr, value: Value) -> None:
        """Refuse ``cpu`` itself as a value of a task: it is whichever CPU the task is on by then.

        In ``bring_up`` and ``switch_to`` it is one CPU, and can be stored and compared.
        """
        if value.never_null and value.type.target == "cpu" and self.context == TASK:
            raise self.scope.method.error(
                node,
                f"{ast.unparse(node)} is whichever CPU the task is on: it is no value",
                "a field of it, or a pointer that bring_up() or switch_to() stores",
            )

    def check_pointer(self, node: ast.expr, base: Value) -> None:
        """Check that a pointer can be followed."""
        if base.never_null:
            return
        text = ast.unparse(node)
        self.out.append(Check(equal(base.expr, 0), f"null pointer dereference: {text} is NULL"))
        if base.type.target in self.records.heap:
            in_use = Load(self.fields[base.type.target, "in_use"], base.pointed)
            self.out.append(Check(negate(in_use), f"use after free: {text} was freed"))
        if base.type.target == "task":
            pc = Load(self.fields["task", "pc"], base.pointed)
            self.out.append(Check(equal(pc, FREE), f"use after free: the task {text} is gone"))

    def _truth(self, node: ast.expr, value: Value) -> Expr:
        if value.type.kind == "bool":
            return value.expr
        if value.type.kind in ("int", "result"):
            return differ(value.expr, 0)
        raise self.scope.method.error(
            node, "this is no truth value", f"{ast.unparse(node)} is not NULL"
        )

    def temp(self) -> Temp:
        """Return a new temporary of the step."""
        self._temps += 1
        return Temp(f"t{self._temps}")

    def _short_circuit(self, node: ast.BoolOp) -> Value:
        result = self.temp()
        self.out.append(Let(result, self._joined(node.values[0])))
        go_on = result if isinstance(node.op, ast.And) else negate(result)
        for operand in node.values[1:]:
            outer, self.out = self.out, []
            value = self._joined(operand)
            inner, self.out = self.out, outer
            self.out.append(If(go_on, (*inner, Let(result, value))))
        return Value(result, BOOL)

    def _joined(self, node: ast.expr) -> Expr:
        """Lower a part of `and` or `or`: Python gives back a part, whatever it is."""
        value = self._value(node)
        if value.type.kind != "bool":
            text = ast.unparse(node)
            null = value.type.kind == "ref"
            raise self.scope.method.error(
                node,
                "`and` and `or` join truth values",
                f"{text} is not NULL" if null else f"({text}) != 0",
            )
        return value.expr

    def _compare(self, node: ast.Compare) -> Value:
        left, right = self._value(node.left), self._value(node.comparators[0])
        for operand, value in ((node.left, left), (node.comparators[0], right)):
            self.check_no_this_cpu(operand, value)
        left, right = self._alike((node.left, node.comparators[0]), (left, right))
        return comparison(self.scope.method, node, left, right)

    def _sum(self, node: ast.BinOp) -> Value:
        left, right = self._value(node.left), self._value(node.right)
        if {left.type.kind, right.type.kind} - {"int"}:
            raise self.scope.method.error(
                node, "only numbers are added or subtracted", "a number on both sides"
            )
        if left.type.longs or right.type.longs:
            raise self.scope.method.error(
                node,
                "arithmetic with a number of longs, of which a scenario has few for many",
                "max(), min(), a comparison, or extent()",
            )
        if isinstance(node.op, ast.Sub) and left.type.low < right.type.high:
            self.out.append(
                Check(binary("lt", left.expr, right.expr), f"{ast.unparse(node)} is negative")
            )
        return arithmetic("add" if isinstance(node.op, ast.Add) else "sub", left, right)

    def _conditional(self, node: ast.IfExp) -> Value:
        condition = self._truth(node.test, self._value(node.test))
        result = self.temp()
        outer = self.out
        lowered: list[tuple[Value, list[Stmt]]] = []
        for branch in (node.body, node.orelse):
            self.out = []
            lowered.append((self._value(branch), self.out))
        self.out = outer
        values = self._alike((node.body, node.orelse), (lowered[0][0], lowered[1][0]))
        then, otherwise = (
            (*checks, Let(result, value.expr))
            for (_, checks), value in zip(lowered, values, strict=True)
        )
        self.out.append(If(condition, then, otherwise))
        joined = values[0].type.join(values[1].type)
        if joined is None:
            raise self.scope.method.error(node, "the two alternatives have different types")
        return Value(result, joined)

    def _call(self, node: ast.Call) -> Value:
        match node.func:
            case ast.Name(id="max" | "min" as which) if len(node.args) == 2 and not node.keywords:  # noqa: PLR2004 - of two
                return self._extreme(node, which)
            case ast.Attribute(attr="is_valid"):
                ports = self._value(node.func.value)
                if ports.type.kind == "ports":
                    self._check_end(node)
                    return Value(differ(ports.expr, 0), BOOL)
            case ast.Attribute(value=ast.Name(id="self"), attr=name):
                return self._pure_call(node, name)
        raise self._unsupported(node)

    def _check_end(self, node: ast.Call) -> None:
        """Refuse is_valid() with another end than that of the map: scenarios have no such ports."""
        ends = [self._value(argument).expr for argument in node.args]
        most = self.design.layout.map_ports
        if node.keywords or ends not in ([], [Const(most)]):
            raise self.scope.method.error(
                node, "is_valid() with another end than that of the map", f"is_valid({most})"
            )

    def _extreme(self, node: ast.Call, which: str) -> Value:
        left, right = self._value(node.args[0]), self._value(node.args[1])
        a, b = left.type, right.type
        if {a.kind, b.kind} != {"int"}:
            raise self.scope.method.error(
                node, f"{which}() of something that is no number", f"{which}() of two numbers"
            )
        left, right = self._alike((node.args[0], node.args[1]), (left, right))
        a, b = left.type, right.type
        result = self.temp()
        first = (
            binary("le", right.expr, left.expr)
            if which == "max"
            else binary("le", left.expr, right.expr)
        )
        self.out.append(If(first, (Let(result, left.expr),), (Let(result, right.expr),)))
        pick: Any = max if which == "max" else min
        low, high = pick(a.low, b.low), pick(a.high, b.high)
        return Value(result, Type("int", low, high, longs=a.longs))

    def _pure_call(self, node: ast.Call, name: str) -> Value:
        method = find_method(self.design, name)
        if method is None or method.expression is None:
            raise self.scope.method.error(
                node,
                f"self.{name}() is called inside an expression",
                f"x = self.{name}(...) as a statement of its own",
            )
        if node.keywords or len(node.args) != len(method.parameters):
            raise self.scope.method.error(
                node, f"self.{name}() takes {len(method.parameters)} arguments"
            )
        arguments = [self._value(a) for a in node.args]
        outer = self.scope
        self.scope = Scope(method, dict(zip(method.parameters, arguments, strict=True)))
        try:
            return self._value(method.expression)
        finally:
            self.scope = outer


def _describe(node: ast.expr) -> str:
    names = {
        "Subscript": "indexing",
        "Lambda": "lambda",
        "ListComp": "list comprehension",
        "Dict": "dictionary",
        "List": "list",
        "Set": "set",
        "Tuple": "tuple",
        "JoinedStr": "string formatting",
        "Await": "await",
        "NamedExpr": "assignment expression",
        "Compare": "chained comparison",
        "BinOp": f"operator {type(getattr(node, 'op', node)).__name__}",
        "Call": f"call of {ast.unparse(node.func) if isinstance(node, ast.Call) else ''}()",
    }
    return names.get(type(node).__name__, type(node).__name__)
