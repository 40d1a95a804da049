"""Lowers the methods of a design, statement by statement, to atomic steps."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from iopermit.system.records import MAX_REFCOUNT
from iopermit.translate.frontend.bulk import BULK, BulkOperations
from iopermit.translate.frontend.calls import Calls
from iopermit.translate.frontend.constants import Scope, constant_truth
from iopermit.translate.frontend.loops import Loops
from iopermit.translate.frontend.primitives import Primitives
from iopermit.translate.frontend.source import find_method
from iopermit.translate.frontend.step_builder import InlinedCall, StepBuilder
from iopermit.translate.frontend.types import Type, Value
from iopermit.translate.model.builder import (
    binary,
    negate,
)
from iopermit.translate.model.nodes import (
    CPU,
    Check,
    Const,
    Field,
    Goto,
    If,
    Load,
    StepParameter,
    Stmt,
    Store,
)

if TYPE_CHECKING:
    from iopermit.translate.frontend.step_builder import Label


class Lowering:
    """Lowers hooks into steps, calls in place."""

    def __init__(self, steps: StepBuilder) -> None:
        """Add to ``steps``."""
        self.steps = steps
        self.bulk, self.primitives = BulkOperations(steps), Primitives(steps)
        self.calls, self.loops = Calls(steps, self.block), Loops(steps, self.block)

    # Hooks.

    def hook(
        self,
        name: str,
        parameters: dict[str, Value],
        *,
        record: Literal["task", "cpu"],
        off: bool,
        result: Field | None,
    ) -> tuple[Label, Label]:
        """Lower the hook ``name``; return the labels of its entry and of what follows it."""
        method = find_method(self.steps.design, name)
        if method is None:
            message = f"{self.steps.design.__name__} has no source for {name}"
            raise TypeError(message)
        self.steps.record, self.steps.preemption_off = record, off
        self.steps.expressions.context = StepParameter(record)
        entry, after = self.steps.label(), self.steps.label()
        if len(method.parameters) != len(parameters):
            raise method.error(
                method.node,
                f"{name}() takes ({', '.join(method.parameters)})",
                f"{name}(self, {', '.join(parameters)})",
            )
        names = dict(zip(method.parameters, parameters.values(), strict=True))
        self.steps.call = InlinedCall(Scope(method, names), after, f"{name}.", result)
        self.steps.expressions.scope = self.steps.call.scope
        self.block(method.body, entry, after)
        return entry, after

    def block(self, body: list[ast.stmt], at: Label, then: Label) -> None:
        """Lower a list of statements between two labels."""
        for statement in body[:-1]:
            middle = self.steps.label()
            self.statement(statement, at, middle)
            at = middle
        if body:
            self.statement(body[-1], at, then)
        else:
            self.steps.alias(at, then)

    # Statements.

    def statement(  # noqa: C901, PLR0912 - one branch per kind of statement
        self, node: ast.stmt, at: Label, then: Label
    ) -> None:
        """Lower one statement."""
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                self.steps.alias(at, then)
            case ast.Assign(targets=[target]):
                self._assign(node, target, node.value, at, then)
            case ast.AnnAssign(target=ast.Name() as target, value=ast.expr() as value):
                self._declare_local(target, node.annotation)
                self._assign(node, target, value, at, then)
            case ast.AugAssign(target=ast.Attribute() | ast.Name(), op=ast.Add() | ast.Sub()):
                self._augment(node, at, then)
            case ast.If():
                self._if(node, at, then)
            case ast.While():
                self.loops.while_(node, at, then)
            case ast.For():
                self.loops.for_(node, at, then)
            case ast.With():
                self._with(node, at, then)
            case ast.Return():
                self._return(node, at)
            case ast.Assert():
                self._assert(node, at, then)
            case ast.Expr(value=ast.Call() as call):
                self._call_statement(node, call, at, then)
            case ast.Break() | ast.Continue() if self.steps.call.loop is not None:
                self.steps.alias(at, self.steps.call.loop[isinstance(node, ast.Break)])
            case _:
                raise self.steps.error(
                    node,
                    f"the design language has no statement of this kind ({type(node).__name__})",
                    "assignments, if, while, for over range(), with cpu.preemption_disabled(), "
                    "return, assert, calls",
                )

    def _assign(
        self, node: ast.stmt, target: ast.expr, value: ast.expr, at: Label, then: Label
    ) -> None:
        name = self.calls.method_called(value)
        if name is not None:
            self.calls.call(node, value, at, then, result=target)
            return
        match value:
            case ast.Call(func=ast.Attribute(attr="extent")):
                self.bulk.extent(node, target, value, at, then)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="allocate")):
                self.primitives.allocate(node, target, value, at, then)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="next_sequence")):
                self.primitives.next_sequence(node, target, at, then)
            case _:
                result = self.steps.expressions.value(value)
                self.steps.emit(at, node, self.steps.store(node, target, result), then)

    def _declare_local(self, target: ast.Name, annotation: ast.expr) -> None:
        limits = {"Longs": self.steps.scenario.longs, "bool": 1, "IoplLevel": 3}
        text = ast.unparse(annotation)
        if text in limits:
            kind = "bool" if text == "bool" else "int"
            self.steps.local(target, Type(kind, 0, limits[text]))  # type: ignore[arg-type]  # one of two literals

    def _augment(self, node: ast.AugAssign, at: Label, then: Label) -> None:
        value = ast.BinOp(node.target, node.op, node.value)
        ast.copy_location(value, node)
        result = self.steps.expressions.value(value)
        target = node.target
        if isinstance(target, ast.Attribute) and self._is_refcount(target):
            limit = binary("lt", Const(MAX_REFCOUNT), result.expr)
            if isinstance(node.op, ast.Add):
                self.steps.expressions.out.append(
                    Check(limit, "reference count saturated: references are never dropped")
                )
            result = Value(result.expr, replace(result.type, high=MAX_REFCOUNT))
        self.steps.emit(at, node, self.steps.store(node, target, result), then)

    def _is_refcount(self, target: ast.Attribute) -> bool:
        read = self.steps.expressions.value(target)
        return isinstance(read.expr, Load) and read.expr.field.high == MAX_REFCOUNT

    def _if(self, node: ast.If, at: Label, then: Label) -> None:
        folded = constant_truth(self.steps.design, node.test)
        if folded is not None:
            self.block(node.body if folded else node.orelse, at, then)
            return
        yes, no = self.steps.label(), self.steps.label()
        if (
            isinstance(node.test, ast.Call)
            and ast.unparse(node.test.func) == "self.refcount_dec_and_test"
        ):
            self.primitives.drop_reference(node.test, at, yes, no)
        else:
            condition = self.steps.expressions.truth(node.test)
            self.steps.emit(at, node.test, [If(condition, (Goto(yes),), (Goto(no),))], None)
        self.block(node.body, yes, then)
        self.block(node.orelse, no, then)

    def _with(self, node: ast.With, at: Label, then: Label) -> None:
        manager = node.items[0].context_expr
        simple = len(node.items) == 1 and node.items[0].optional_vars is None
        match manager:
            case ast.Call(
                func=ast.Attribute(value=where, attr="preemption_disabled"), args=[], keywords=[]
            ) if simple and self._is_own_cpu(where):
                pass
            case _:
                raise self.steps.error(node, "an unknown `with`", "with cpu.preemption_disabled():")
        inside = self.steps.label()
        self.steps.emit(at, node, [], inside, label="preemption off")
        outer, self.steps.preemption_off = self.steps.preemption_off, True
        self.block(node.body, inside, then)
        self.steps.preemption_off = outer

    def _is_own_cpu(self, where: ast.expr) -> bool:
        """Return whether an expression is the CPU that the code runs on."""
        if not isinstance(where, ast.Name):
            return False
        value = self.steps.call.scope.names.get(where.id)
        return value is not None and value.type.target == "cpu" and value.slot == CPU

    def _return(self, node: ast.Return, at: Label) -> None:
        call = self.steps.call
        if node.value is None:
            self.steps.alias(at, call.exit)
        elif self.calls.method_called(node.value) is not None:
            self.calls.call(node, node.value, at, call.exit, result=call.result)
        else:
            value = self.steps.expressions.value(node.value)
            body: list[Stmt] = []
            if call.result is not None:
                body = [
                    Store(
                        self._grown(node, call.result, value.type), self.steps.context, value.expr
                    )
                ]
            self.steps.emit(at, node, body, call.exit)

    def _grown(self, node: ast.AST, result: Field, value_type: Type) -> Field:
        """Return the variable that receives a result, with room for ``value_type``."""
        if (self.steps.record, result.name) in self.steps.types:
            return self.steps.variable(node, result.name, value_type)
        return result

    def _assert(self, node: ast.Assert, at: Label, then: Label) -> None:
        condition = self.steps.expressions.truth(node.test)
        text = ast.unparse(node.test)
        if isinstance(node.msg, ast.Constant):
            text = str(node.msg.value)
        self.steps.emit(
            at, node, [Check(negate(condition), f"kernel assertion failed: {text}")], then
        )

    # Calls.

    def _call_statement(self, node: ast.stmt, call: ast.Call, at: Label, then: Label) -> None:
        name = self.calls.method_called(call)
        if name is not None:
            self.calls.call(node, call, at, then, result=None)
            return
        match call.func:
            case ast.Attribute(value=ast.Name(id="self"), attr="free"):
                self.primitives.free(node, call, at, then)
            case ast.Attribute(attr="load_task_register", value=where):
                self.primitives.load_task_register(node, where, at, then)
            case ast.Attribute(attr=attr) if attr in BULK:
                self.bulk.statement(node, call, at, then)
            case _:
                raise self.steps.error(
                    node,
                    f"an unknown operation {ast.unparse(call.func)}()",
                    "a method of the design",
                )
