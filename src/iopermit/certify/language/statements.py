"""Interprets statements of the design language: which atomic steps there are, and what each does.

The rules, in this checker's own words. These are one step each: an assignment; the test of an
``if`` or ``while``; a ``return`` with a value; ``assert``; allocating, freeing, taking a sequence
number, dropping a reference, loading TR; entering ``with cpu.preemption_disabled()``. A ``for``
takes one step to begin and one for each time round. These are no step: a call, a return without a
value, ``break``, ``continue``, ``pass``, leaving a ``with`` block, and a test of nothing but the
design's own constants. Operations on whole bitmaps are in :mod:`.bulk`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import numpy as np

from iopermit.certify.errors import UnacceptableError
from iopermit.certify.language.constants import Scope, Value, number
from iopermit.certify.language.primitives import Primitives
from iopermit.certify.language.source import Method, find_method
from iopermit.certify.language.steps import Frame, Point

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iopermit.certify.state import Batch, Column, Numbers


class Code(Primitives):
    """Interprets the statements of a design's methods, calls in place."""

    def hook(
        self,
        name: str,
        names: Sequence[Callable[[], Value]],
        then: Point,
        result: Column | None = None,
    ) -> Point:
        """Return the point where a hook begins that goes on at ``then``."""
        method = find_method(self.design, name)
        if method is None or len(method.parameters) != len(names):
            raise UnacceptableError(f"{self.design.__name__}.{name}() is no hook of this name")
        scope = Scope(method, dict(zip(method.parameters, names, strict=True)), f"{name}.")
        self.frame, self.expressions.scope = Frame(scope, then, result), scope
        at = Point()
        self.block(method.body, at, then)
        return at

    def block(self, body: list[ast.stmt], at: Point, then: Point) -> None:
        """Interpret statements one after the other."""
        for statement in body[:-1]:
            middle = Point()
            self.statement(statement, at, middle)
            at = middle
        if body:
            self.statement(body[-1], at, then)
        else:
            at.same = then

    def statement(  # noqa: C901, PLR0912 - one branch per kind of statement
        self, node: ast.stmt, at: Point, then: Point
    ) -> None:
        """Interpret one statement."""
        match node:
            case ast.Pass() | ast.Expr(value=ast.Constant()):
                at.same = then
            case ast.Assign(targets=[target], value=value):
                self._assignment(node, target, value, at, then)
            case ast.AnnAssign(target=ast.Name() as name, value=ast.expr() as value):
                self._assignment(node, name, value, at, then)
            case ast.AugAssign(op=ast.Add() | ast.Sub()):
                changed = ast.copy_location(ast.BinOp(node.target, node.op, node.value), node)
                do = self.assign(node.target, self.expressions.value(changed))
                self.emit(node, at, do, then)
            case ast.If():
                self._if(node, at, then)
            case ast.While(orelse=[]):
                self._while(node, at, then)
            case ast.For(target=ast.Name(), orelse=[]):
                self._for(node, at, then)
            case ast.With(items=[ast.withitem(optional_vars=None) as item]):
                self._with(node, item.context_expr, at, then)
            case ast.Return():
                self._return(node, at)
            case ast.Assert():
                condition = self.expressions.truth(node.test)
                text = f"kernel assertion failed: {ast.unparse(node.msg or node.test)}"
                self.emit(
                    node,
                    at,
                    lambda b: b.refuse(np.equal(condition(b, b.rows), 0), b.rows, text),
                    then,
                )
            case ast.Expr(value=ast.Call() as call):
                self._call_statement(node, call, at, then)
            case ast.Continue() | ast.Break() if self.frame.loop is not None:
                at.same = self.frame.loop[isinstance(node, ast.Break)]
            case _:
                raise self.unacceptable(node, f"`{ast.unparse(node).splitlines()[0]}`")

    def _assignment(
        self, node: ast.stmt, target: ast.expr, value: ast.expr, at: Point, then: Point
    ) -> None:
        method = self._called(value)
        match value:
            case ast.Call() if method is not None and isinstance(target, ast.Name):
                self._call(node, value, method, at, then, target)
            case ast.Call(func=ast.Attribute(attr="extent", value=bitmap)):
                self.extent(node, target, bitmap, value, at, then)
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="self"), attr="allocate"), args=[cls]
            ):
                self.allocate(node, target, cls, at, then)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="next_sequence")):
                self.emit(node, at, self.assign(target, self.fresh()), then)
            case _:
                self.emit(node, at, self.assign(target, self.expressions.value(value)), then)

    def _if(self, node: ast.If, at: Point, then: Point) -> None:
        decided = self.expressions.decided(node.test)
        if decided is not None:
            self.block(node.body if decided else node.orelse, at, then)
            return
        yes, no = Point(), Point()
        match node.test:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="self"), attr="refcount_dec_and_test"),
                args=[held],
            ):
                self.drop(node.test, held, at, yes, no)
            case _:
                self.branch(node.test, at, yes, no)
        self.block(node.body, yes, then)
        self.block(node.orelse, no, then)

    def _while(self, node: ast.While, at: Point, then: Point) -> None:
        decided, body = self.expressions.decided(node.test), Point()
        if decided is None:
            self.branch(node.test, at, body, then)
        else:
            at.same = body if decided else then
        self._loop(node.body, body, at, then)

    def _loop(self, statements: list[ast.stmt], body: Point, again: Point, done: Point) -> None:
        outer, self.frame.loop = self.frame.loop, (again, done)
        self.block(statements, body, again)
        self.frame.loop = outer

    def _for(self, node: ast.For, at: Point, then: Point) -> None:
        match node:
            case ast.For(
                target=ast.Name(id=name),
                iter=ast.Call(func=ast.Name(id="range"), args=[bound], keywords=[]),
            ):
                limit = self.expressions.value(bound)
            case _:
                raise self.unacceptable(node, "a loop over something else than range(n)")
        if not _is_only_the_loops(name, self.frame.scope.method.node):
            raise self.unacceptable(node, f"another use of {name!r} than in its loop")
        prefix = self.frame.scope.prefix
        index = self.variable(prefix + name, "int")
        end = self.variable(f"{prefix}{name}@{node.lineno}.end", "int")
        body, latch = Point(), Point()
        set_end, set_index = self.set_variable(end, limit), self.set_variable(index, number(0))

        def begin(b: Batch) -> Numbers:
            set_end(b)
            set_index(b)
            return np.where(b.get(end) > 0, body.final.number, then.final.number)

        self.step(self.position(node), at, begin, body, then)
        self._loop(node.body, body, latch, then)
        self.expressions.reads |= {index, end}

        def again(b: Batch) -> Numbers:
            more = b.get(index) + 1 < b.get(end)
            b.put(index, b.get(index) + more)
            return np.where(more, body.final.number, then.final.number)

        self.step(self.position(node, "next iteration"), latch, again, body, then)

    def _with(self, node: ast.With, manager: ast.expr, at: Point, then: Point) -> None:
        if not ast.unparse(manager).endswith(".preemption_disabled()"):
            raise self.unacceptable(node, "an unknown `with`")
        inside = Point()
        self.emit(node, at, _nothing, inside, "preemption off")
        outer, self.off = self.off, True
        self.block(node.body, inside, then)
        self.off = outer

    def _return(self, node: ast.Return, at: Point) -> None:
        frame = self.frame
        method = None if node.value is None else self._called(node.value)
        if node.value is None:
            at.same = frame.exit
        elif method is not None and isinstance(node.value, ast.Call):
            self._call(node, node.value, method, at, frame.exit, frame.result)
        else:
            value = self.expressions.value(node.value)
            do: Callable[[Batch], None] = _nothing
            if frame.result is not None:
                result = self.variable(frame.result.name, value.kind, value.target)
                do = self.set_variable(result, value)
            self.emit(node, at, do, frame.exit)

    # Calls and primitives.

    def _called(self, value: ast.expr) -> Method | None:
        """Return the method with steps of its own that an expression calls, if it is just that."""
        match value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)) if name not in {
                "allocate",
                "free",
                "next_sequence",
                "refcount_dec_and_test",
            }:
                method = find_method(self.design, name)
                if method is None:
                    raise self.unacceptable(value, f"there is no method {name}()")
                return method if method.expression is None else None
        return None

    def _call(
        self,
        node: ast.stmt,
        call: ast.Call,
        method: Method,
        at: Point,
        then: Point,
        result: ast.Name | Column | None,
    ) -> None:
        """Interpret a call in place: it takes no step of its own."""
        frame = self.frame
        simple = all(
            isinstance(a, ast.Name | ast.Constant) or ast.unparse(a) == "cpu.current"
            for a in call.args
        )
        again = {place[0] for place in frame.calls} | {frame.scope.method.name}
        fits = len(call.args) == len(method.parameters) and not call.keywords
        if not (simple and fits) or method.name in again:
            raise self.unacceptable(node, f"this call of {method.name}()")
        if isinstance(result, ast.Name):
            name = frame.scope.prefix + result.id
            result = self.variable(name, *self.kinds.get(name, ("", "")))
        arguments = [self.expressions.by_name(frame.scope, a) for a in call.args]
        scope = Scope(
            method,
            dict(zip(method.parameters, arguments, strict=True)),
            f"{frame.scope.prefix}{node.lineno}:{method.name}.",
        )
        calls = (*frame.calls, self._place(node))
        self.frame, self.expressions.scope = Frame(scope, then, result, calls), scope
        self.block(method.body, at, then)
        self.frame, self.expressions.scope = frame, frame.scope

    def _call_statement(self, node: ast.stmt, call: ast.Call, at: Point, then: Point) -> None:
        method = self._called(call)
        match call:
            case _ if method is not None:
                self._call(node, call, method, at, then, None)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr="free"), args=[held]):
                self.free(node, held, at, then)
            case ast.Call(func=ast.Attribute(value=where, attr="load_task_register"), args=[]):
                cpu = self.expressions.value(where)
                low = self.layout["cpu", "tr_limit_low"]
                self.emit(
                    node, at, lambda b: b.store(low, cpu.read(b, b.rows) - 1, b.rows, 0), then
                )
            case ast.Call(func=ast.Attribute(value=bitmap, attr=attr), keywords=[]):
                self.bulk(node, call, bitmap, attr, at, then)
            case _:
                raise self.unacceptable(node, f"`{ast.unparse(call)}`")


def _nothing(_b: Batch) -> None:
    """Do nothing: the caller does not want the value."""


def _is_only_the_loops(name: str, method: ast.FunctionDef) -> bool:
    """Return whether a variable of loops is set by them alone, not by nested ones, and read inside.

    Python would set it again at each turn, and leave it as it was if there is none.
    """

    def visit(node: ast.AST, *, inside: bool) -> bool:
        match node:
            case ast.For(target=ast.Name(id=target)) if target == name:
                turns = all(visit(part, inside=True) for part in node.body)
                return turns and not inside and visit(node.iter, inside=False)
            case ast.Name(id=used) if used == name:
                return inside and isinstance(node.ctx, ast.Load)
        return all(visit(child, inside=inside) for child in ast.iter_child_nodes(node))

    return visit(method, inside=False)
