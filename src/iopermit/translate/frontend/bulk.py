"""Lowers bulk bitmap operations: one step for the arguments, then one step per long."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.translate.frontend.types import Type, Value
from iopermit.translate.model.builder import binary, const, differ, negate
from iopermit.translate.model.nodes import Check, Const, Expr, Goto, If, Load, Stmt, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.translate.frontend.step_builder import Label, StepBuilder

BULK = frozenset({"copy_from", "fill", "change"})
"""Bulk operations that are statements; ``extent`` has a result."""


_FORMS = {
    "copy_from": "copy_from(bitmap) or copy_from(bitmap, longs)",
    "fill": "fill() or fill(longs)",
    "change": "change(ports, turn_on)",
}
"""How each is written."""


class BulkOperations:
    """Lowers operations on whole bitmaps step by step."""

    def __init__(self, steps: StepBuilder) -> None:
        """Add to ``steps``."""
        self.steps = steps

    def statement(self, node: ast.stmt, call: ast.Call, at: Label, then: Label) -> None:
        """Lower ``bitmap.copy_from(...)``, ``bitmap.fill(...)`` or ``bitmap.change(...)``."""
        assert isinstance(call.func, ast.Attribute)  # narrowed by the caller
        operation = call.func.attr
        if call.keywords:
            raise self.steps.error(call, f"{operation}() takes no named arguments")
        arguments = list(call.args)
        least, most = {"copy_from": (1, 2), "fill": (0, 1), "change": (2, 2)}[operation]
        if not least <= len(arguments) <= most:
            raise self.steps.error(
                call, f"{operation}() with {len(arguments)} arguments", _FORMS[operation]
            )
        source = self._bitmap(arguments.pop(0)) if operation == "copy_from" and arguments else None
        bitmap = self._bitmap(call.func.value)
        if operation == "change":
            self._change(node, call, bitmap, at, then)
            return
        longs = self._longs(call, arguments)
        self._loop(node, call, bitmap, source, longs, at, then)

    def _bitmap(self, node: ast.expr) -> Value:
        value = self.steps.expressions.value(node)
        if value.type.kind != "bitmap":
            raise self.steps.error(
                node, f"{ast.unparse(node)} is no bitmap", "a field declared as Bitmap"
            )
        return value

    def _longs(self, call: ast.Call, arguments: list[ast.expr]) -> Value:
        if not arguments:
            every = self.steps.scenario.longs
            return Value(Const(every), Type("int", every, every))
        if len(arguments) != 1:
            raise self.steps.error(call, "too many arguments")
        expressions = self.steps.expressions
        value = expressions.counting(arguments[0], expressions.value(arguments[0]))
        most = self.steps.scenario.longs
        if value.type.high > most:
            beyond = binary("lt", Const(most), value.expr)
            message = f"out of range: {ast.unparse(arguments[0])} is more longs than a bitmap has"
            self.steps.expressions.out.append(Check(beyond, message))
            value = replace(value, type=replace(value.type, high=most))
        return value

    def _pin(self, node: ast.AST, prefix: str, bitmap: Value) -> tuple[list[Stmt], Value]:
        """Keep the address of a bitmap over the steps of an operation, as a register would."""
        assert isinstance(bitmap.expr, Load)  # a bitmap is always a field
        read, slot = bitmap.expr.field, bitmap.expr.index
        own = {"cpu": self.steps.expressions.scope.names.get("cpu")}
        if isinstance(slot, Const) or (
            read.record == "tss" and own["cpu"] is not None and slot == own["cpu"].slot
        ):
            return [], bitmap
        if slot == self.steps.context:
            return [], bitmap
        count = self.steps.expressions.records.counts[read.record]
        held = self.steps.variable(node, prefix, Type("ref", 0, count, read.record))
        keep: list[Stmt] = [Store(held, self.steps.context, binary("add", slot, Const(1)))]
        pinned = binary("sub", Load(held, self.steps.context), Const(1))
        return keep, Value(Load(read, pinned), bitmap.type)

    def _alive(self, bitmap: Value, text: str) -> None:
        """Check that a pinned heap bitmap was not freed meanwhile."""
        assert isinstance(bitmap.expr, Load)  # a bitmap is always a field
        record = bitmap.expr.field.record
        expressions = self.steps.expressions
        if record in expressions.records.heap:
            in_use = Load(expressions.fields[record, "in_use"], bitmap.expr.index)
            expressions.out.append(Check(negate(in_use), f"use after free: {text} was freed"))

    def _prefix(self, node: ast.stmt) -> str:
        return f"{self.steps.call.prefix}@{node.lineno}.{node.col_offset}"

    def _loop(
        self,
        node: ast.stmt,
        call: ast.Call,
        bitmap: Value,
        source: Value | None,
        longs: Value,
        at: Label,
        then: Label,
    ) -> None:
        """Copy from ``source``, or fill with ones, the first ``longs`` longs."""
        prefix = self._prefix(node)
        keep, bitmap = self._pin(node, f"{prefix}.to", bitmap)
        if source is not None:
            more, source = self._pin(node, f"{prefix}.from", source)
            keep += more
        text = ast.unparse(call)

        def long(index: Expr) -> list[Stmt]:
            assert isinstance(bitmap.expr, Load)  # a bitmap is always a field
            bit = const(1) if source is None else _bit(source.expr, index)
            return [Store(bitmap.expr.field, bitmap.expr.index, _with_bit(bitmap.expr, index, bit))]

        checked = [bitmap] if source is None else [bitmap, source]
        self._steps(node, text, (longs, keep), checked, long, at, then)

    def _change(
        self, node: ast.stmt, call: ast.Call, bitmap: Value, at: Label, then: Label
    ) -> None:
        steps, prefix = self.steps, self._prefix(node)
        computed = [a for a in call.args if not isinstance(a, ast.Name | ast.Constant)]
        if computed:
            # Each long is changed in a step of its own, which would compute it anew.
            raise steps.error(
                computed[0],
                "an argument that is computed in the call",
                "x = ... as a statement, then pass x",
            )
        ports, turn_on = (steps.expressions.value(a) for a in call.args)
        if ports.type.kind != "ports" or turn_on.type.kind != "bool":
            raise steps.error(
                call, "change() takes the ports and whether to allow them", "change(ports, turn_on)"
            )
        keep, bitmap = self._pin(node, f"{prefix}.to", bitmap)
        every = steps.scenario.longs

        def long(index: Expr) -> list[Stmt]:
            assert isinstance(bitmap.expr, Load)  # a bitmap is always a field
            changed = _with_bit(bitmap.expr, index, binary("xor", turn_on.expr, Const(1)))
            store = Store(bitmap.expr.field, bitmap.expr.index, changed)
            return [If(_bit(ports.expr, index), (store,))]

        self._steps(node, ast.unparse(call), (_all(every), keep), [bitmap], long, at, then)

    def extent(
        self, node: ast.stmt, target: ast.expr, call: ast.Call, at: Label, then: Label
    ) -> None:
        """Lower ``x = bitmap.extent()``: the number of longs up to the last with a clear bit."""
        steps = self.steps
        assert isinstance(call.func, ast.Attribute)  # narrowed by the caller
        least = _least(call)
        steps.expressions.longs.name(least, steps.call.scope.method.site(call))
        bitmap = self._bitmap(call.func.value)
        keep, bitmap = self._pin(node, f"{self._prefix(node)}.of", bitmap)
        every = steps.scenario.longs
        last = steps.variable(node, f"{self._prefix(node)}.last", Type("int", 0, every))
        keep.append(Store(last, steps.context, const(least)))
        result = Value(Load(last, steps.context), Type("int", 0, every, longs=True))

        def long(index: Expr) -> list[Stmt]:
            found = Store(last, steps.context, binary("add", index, Const(1)))
            more = binary("le", Load(last, steps.context), index)
            return [If(_bit(bitmap.expr, index), (), (If(more, (found,)),))]

        done = steps.store(node, target, result)
        self._steps(
            node, ast.unparse(call), (_all(every), keep), [bitmap], long, at, then, tuple(done)
        )

    def _steps(  # noqa: PLR0913, PLR0917 - operands and labels
        self,
        node: ast.stmt,
        text: str,
        start: tuple[Value, list[Stmt]],
        checked: list[Value],
        long: Callable[[Expr], list[Stmt]],
        at: Label,
        then: Label,
        done: tuple[Stmt, ...] = (),
    ) -> None:
        """Emit the step for the arguments and the step that handles one long."""
        steps = self.steps
        longs, keep = start
        each = steps.label()
        fixed = longs.expr.value if isinstance(longs.expr, Const) else None
        if fixed == 0:
            steps.emit(at, node, keep, then)
            return
        limit = max(1, longs.type.high)
        counter = steps.variable(node, f"{self._prefix(node)}.long", Type("int", 0, limit - 1))
        end: Expr = const(fixed or 0)
        if fixed is None:
            variable = steps.variable(node, f"{self._prefix(node)}.end", Type("int", 0, limit))
            end = Load(variable, steps.context)
            keep = [*keep, Store(variable, steps.context, longs.expr)]
        begin: list[Stmt] = [*keep, Store(counter, steps.context, const(0))]
        if fixed is None:
            begin.append(If(differ(longs.expr, 0), (Goto(each),), (Goto(then),)))
        steps.emit(at, node, begin, None if fixed is None else each)
        index = Load(counter, steps.context)
        for bitmap in checked:
            self._alive(bitmap, text)
        following = binary("add", index, Const(1))
        again: tuple[Stmt, ...] = (Store(counter, steps.context, following), Goto(each))
        steps.emit(
            each,
            node,
            [*long(index), If(binary("lt", following, end), again, (*done, Goto(then)))],
            None,
            label="one long",
            counted=True,
        )


def _bit(bitmap: Expr, index: Expr) -> Expr:
    return binary("and", binary("shr", bitmap, index), Const(1))


def _with_bit(bitmap: Expr, index: Expr, bit: Expr) -> Expr:
    mask = binary("shl", Const(1), index)
    cleared = binary("sub", binary("or", bitmap, mask), mask)
    return binary("or", cleared, binary("shl", bit, index))


def _all(longs: int) -> Value:
    return Value(Const(longs), Type("int", longs, longs))


def _least(call: ast.Call) -> int:
    values = [*call.args, *(k.value for k in call.keywords)]
    return values[0].value if values and isinstance(values[0], ast.Constant) else 0  # type: ignore[return-value]  # an int
