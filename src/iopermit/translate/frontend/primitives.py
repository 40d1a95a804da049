"""Lowers what every design can call: allocation, freeing, reference and sequence numbers."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from iopermit.system.events import Event
from iopermit.translate.frontend.types import Type, Value
from iopermit.translate.model.builder import (
    binary,
    const,
    equal,
    negate,
)
from iopermit.translate.model.model import Allocation
from iopermit.translate.model.nodes import (
    CHOICE,
    NO_ROOM,
    Check,
    Clear,
    Const,
    Expr,
    Goto,
    If,
    Let,
    Load,
    Mask,
    Stmt,
    Store,
)

if TYPE_CHECKING:
    from iopermit.translate.frontend.step_builder import Label, StepBuilder


class Primitives:
    """Lowers the calls of the design language's own operations, but for those on bitmaps."""

    def __init__(self, steps: StepBuilder) -> None:
        """Add to ``steps``."""
        self.steps = steps

    def drop_reference(self, call: ast.Call, at: Label, zero: Label, more: Label) -> None:
        """Lower the test ``self.refcount_dec_and_test(object)``."""
        if len(call.args) != 1 or call.keywords:
            raise self.steps.error(
                call, "refcount_dec_and_test() takes one object", "self.refcount_dec_and_test(x)"
            )
        held = self.steps.expressions.value(call.args[0])
        count = self.steps.expressions.fields.get((held.type.target, "refcnt"))
        if count is None:
            raise self.steps.error(
                call, f"{held.type.target} has no field 'refcnt'", "refcnt: Refcount = 0"
            )
        self.steps.expressions.check_pointer(call.args[0], held)
        left = self.steps.expressions.temp()
        load = Load(count, held.pointed)
        self.steps.expressions.out.append(Check(equal(load, 0), "reference count underflow"))
        body: list[Stmt] = [
            Let(left, binary("sub", load, Const(1))),
            Store(count, held.pointed, left),
            If(negate(left), (Goto(zero),), (Goto(more),)),
        ]
        self.steps.emit(at, call, body, None)

    def allocate(
        self, node: ast.stmt, target: ast.expr, call: ast.Call, at: Label, then: Label
    ) -> None:
        """Lower ``x = self.allocate(Class)``."""
        record = ast.unparse(call.args[0]).split(".")[-1] if call.args else ""
        if record not in self.steps.expressions.records.heap:
            raise self.steps.error(
                call, f"{record!r} is no heap class that a field refers to", "self.allocate(Class)"
            )
        slots = self.steps.expressions.records.counts[record]
        kind = Type("ref", 0, slots, record)
        choice: Expr = CHOICE
        in_use = self.steps.expressions.fields[record, "in_use"]
        defaults = [
            Store(f, choice, const(self.steps.expressions.records.defaults[f.record, f.name]))
            for f in self.steps.expressions.records.fields
            if f.record == record
            and f is not in_use
            and self.steps.expressions.records.defaults.get((f.record, f.name))
        ]
        # Where garbage is no violation, an object that nothing refers to makes room.
        free = Mask("free" if self.steps.scenario.garbage else "available", record)
        lost: list[Stmt] = [] if self.steps.scenario.garbage else [Clear(record, choice)]
        success = [*lost, Store(in_use, choice, const(1)), *defaults]
        ok = self.steps.store(node, target, Value(binary("add", choice, Const(1)), kind))
        failed = self.steps.store(node, target, Value(Const(0), kind))
        full = Check(
            negate(free), f"a {record} more than the {slots} that the model has room for", NO_ROOM
        )
        self.steps.expressions.out.append(full)
        body = [If(equal(choice, slots), tuple(failed), (*success, *ok))]
        can_fail = self.steps.scenario.has(Event.ALLOCATION_FAILS)
        allocation = Allocation(slots, free, can_fail)
        self.steps.emit(at, node, body, then, allocation=allocation, label=f"allocate {record}")

    def free(self, node: ast.stmt, call: ast.Call, at: Label, then: Label) -> None:
        """Lower ``self.free(object)``."""
        if len(call.args) != 1 or call.keywords:
            raise self.steps.error(call, "free() takes one object", "self.free(x)")
        held = self.steps.expressions.value(call.args[0])
        text = ast.unparse(call.args[0])
        if held.type.target not in self.steps.expressions.records.heap:
            raise self.steps.error(
                call, f"{text} is no heap object", "a variable or field of type Ref[Class]"
            )
        in_use = Load(self.steps.expressions.fields[held.type.target, "in_use"], held.pointed)
        self.steps.expressions.out.append(Check(equal(held.expr, 0), f"free of NULL: {text}"))
        self.steps.expressions.out.append(Check(negate(in_use), f"double free: {text}"))
        self.steps.emit(at, node, [Clear(held.type.target, held.pointed)], then)

    def next_sequence(self, node: ast.stmt, target: ast.expr, at: Label, then: Label) -> None:
        """Lower ``x = self.next_sequence()``."""
        values = self.steps.expressions.records.counter_values
        fresh, used = self.steps.expressions.temp(), self.steps.expressions.temp()
        out = self.steps.expressions.out
        out.append(Let(used, Mask("counters")))
        out.append(Let(fresh, Const(0)))
        for value in range(values, 0, -1):
            taken = binary("and", binary("shr", used, Const(value)), Const(1))
            out.append(If(negate(taken), (Let(fresh, Const(value)),)))
        out.append(
            Check(
                equal(fresh, 0),
                f"a number more than the {values} that the model has room for",
                NO_ROOM,
            )
        )
        self.steps.emit(
            at, node, self.steps.store(node, target, Value(fresh, Type("counter", 1, values))), then
        )

    def load_task_register(self, node: ast.stmt, where: ast.expr, at: Label, then: Label) -> None:
        """Lower ``cpu.load_task_register()``: the limit in TR is that of the GDT again."""
        cpu = self.steps.expressions.value(where)
        low = self.steps.expressions.fields["cpu", "tr_limit_low"]
        self.steps.emit(at, node, [Store(low, cpu.pointed, const(0))], then)
