"""Runs the methods of a design step by step, by turning each into a generator."""

from __future__ import annotations

import ast
import copy
import functools
import inspect
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from iopermit.system.position import BulkOperation, Position, Steps
from iopermit.translate.frontend.source import EFFECTS, Method, find_method
from iopermit.translate.stepping import stops
from iopermit.translate.stepping.live_names import LiveNames

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.system.design import Design

BULK = frozenset({"copy_from", "fill", "change", "extent"})
"""Operations that take a step for each long; `NAME_steps` of Bitmap is the twin that stops."""

_SERVICES = EFFECTS | {"refcount_dec_and_test"}
_PREFIX = "_iopermit_"


def steps(design: Design, name: str, arguments: tuple[object, ...]) -> Steps:
    """Run a method of `design`, stopping before each step; the generator returns its result.

    Each stop hands out the call chain (see `iopermit.system.position`). The steps are those of
    `docs/writing-a-design.md`; they execute the method's own source.
    """
    twin = _compiled(type(design), name)  # type: ignore[arg-type]  # mypy thinks that classes cannot be hashed
    return twin(design, *arguments)


@functools.cache
def _compiled(design: type[Design], name: str) -> Callable[..., Steps]:
    """Return the generator twin of a method."""
    method = find_method(design, name)
    if method is None:
        message = f"{design.__name__} has no source for {name}"
        raise TypeError(message)
    function = inspect.getattr_static(design, name)
    transform = _Transform(design, method, function.__globals__)
    tree = transform.module()
    sites = tuple(transform.sites)
    namespace = {
        **function.__globals__,
        f"{_PREFIX}stop": functools.partial(stops.stop, sites),
        f"{_PREFIX}bulk": functools.partial(stops.bulk, sites),
        f"{_PREFIX}call": functools.partial(stops.call, sites),
        f"{_PREFIX}steps": steps,
        f"{_PREFIX}difference": stops.difference,
    }
    # optimize=0: an assertion of the kernel stays, whatever options Python was started with.
    code = compile(tree, method.file, "exec", dont_inherit=True, optimize=0)
    exec(code, namespace)  # noqa: S102 - the design's own source
    twin = cast("Any", namespace[name])
    twin.__defaults__ = function.__defaults__
    return cast("Callable[..., Steps]", twin)


class _Transform:
    """Inserts a `yield` before each step of one method."""

    def __init__(self, design: type[Design], method: Method, names: dict[str, Any]) -> None:
        self.design, self.method, self.names = design, method, names
        self.sites: list[Position] = []
        self._off = False
        self._loops: list[ast.For | None] = []
        self._latches: dict[ast.For, int] = {}

    def module(self) -> ast.Module:
        """Return a module that defines the generator."""
        function = copy.deepcopy(self.method.node)
        body = self._fold_block(function.body)
        self._live = LiveNames(body)
        function.body = [*ast.parse("if 0: yield").body, *self._block(body)]
        function.decorator_list, function.returns = [], None
        function.args.defaults = []
        for argument in function.args.args:
            argument.annotation = None
        tree = ast.Module([function], [])
        _Differences().visit(tree)
        return ast.fix_missing_locations(tree)

    # Tests that are constant in a design are no steps: only the branch taken is left.

    def _fold_block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [kept for statement in body for kept in self._fold(statement)]

    def _fold(self, node: ast.stmt) -> list[ast.stmt]:
        if isinstance(node, ast.If):
            known = self._constant(node.test)
            if known is not None:
                return self._fold_block(node.body if known else node.orelse) or [_nothing(node)]
            node.orelse = self._fold_block(node.orelse)
        if isinstance(node, ast.While):
            known = self._constant(node.test)
            if known is False:
                return [_nothing(node)]
            if known:
                node.test = ast.copy_location(ast.Constant(value=True), node.test)
        if isinstance(node, ast.If | ast.While | ast.For | ast.With):
            node.body = self._fold_block(node.body)
        return [node]

    def _constant(self, test: ast.expr) -> bool | None:
        """Return the value of a test on literals and constants of the design, else None."""
        names = {n.id for n in ast.walk(test) if isinstance(n, ast.Name)}
        attributes = {n.attr for n in ast.walk(test) if isinstance(n, ast.Attribute)}
        calls = any(isinstance(n, ast.Call) for n in ast.walk(test))
        if calls or not names <= {"self"} or "globals" in attributes:
            return None
        return bool(self._evaluate(test))

    def _evaluate(self, node: ast.expr) -> Any:  # noqa: ANN401 - a constant or a class
        code = compile(ast.Expression(copy.deepcopy(node)), self.method.file, "eval")
        return eval(code, self.names, {"self": self.design})  # noqa: S307 - the design's own source

    # Statements.

    def _block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        return [made for statement in body for made in self._statement(statement)]

    def _statement(self, node: ast.stmt) -> list[ast.stmt]:
        match node:
            case ast.If() | ast.While() | ast.For() | ast.With():
                return self._compound(node)
            case ast.Continue() if self._loops and (loop := self._loops[-1]) is not None:
                return [*self._yield_at(node, self._latches[loop]), node]
            case ast.Pass() | ast.Break() | ast.Continue() | ast.Return(value=None):
                return [node]
            case ast.Expr(value=ast.Constant()) | ast.AnnAssign(value=None):
                return [node]
            case ast.Expr() | ast.Assign() | ast.AnnAssign() | ast.Return():
                return self._simple(node)
        return [*self._stop(node, self._live.before[node]), node]

    def _simple(self, node: ast.Expr | ast.Assign | ast.AnnAssign | ast.Return) -> list[ast.stmt]:
        match node.value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)) as call if (
                self._has_steps(name)
            ):
                node.value = self._called(node, name, call)
                return [node]
            case ast.Call(func=ast.Attribute(value=base, attr=name)) as call if name in BULK:
                stop = self._stop(node, self._live.before[node])
                node.value = self._in_bulk(node, base, call)
                return [*stop, node]
        return [*self._stop(node, self._live.before[node], node.value), node]

    def _compound(self, node: ast.If | ast.While | ast.For | ast.With) -> list[ast.stmt]:
        live = self._live.before[node]
        match node:
            case ast.If():
                stop = self._stop(node.test, live)
                node.body, node.orelse = self._block(node.body), self._block(node.orelse)
                return [*stop, node]
            case ast.While():
                return [self._while(node, live)]
            case ast.For():
                stop = self._stop(node, live)
                self._latches[node] = latch = self._site(node, self._live.latch[node], part=0)
                node.body = [*self._loop_body(node, node), *self._yield_at(node, latch)]
                return [*stop, node]
        stop = self._stop(node, live)
        outer, self._off = self._off, True
        node.body = self._block(node.body)
        self._off = outer
        return [*stop, node]

    def _while(self, node: ast.While, live: frozenset[str]) -> ast.stmt:
        body = self._loop_body(node, None)
        if not isinstance(node.test, ast.Constant):
            leave = ast.If(ast.UnaryOp(ast.Not(), node.test), [ast.Break()], [])
            body = [*self._stop(node.test, live), ast.copy_location(leave, node.test), *body]
            node.test = ast.copy_location(ast.Constant(value=True), node.test)
        node.body = body
        return node

    def _loop_body(self, node: ast.For | ast.While, latch: ast.For | None) -> list[ast.stmt]:
        self._loops.append(latch)
        body = self._block(node.body)
        self._loops.pop()
        return body

    # What is inserted.

    def _has_steps(self, name: str) -> bool:
        """Return whether `self.name()` is a call of a method with steps of its own."""
        if name in _SERVICES:
            return False
        method = find_method(self.design, name)
        return method is not None and method.expression is None

    def _site(self, node: ast.AST, live: frozenset[str], **details: Any) -> int:  # noqa: ANN401 - fields of Position
        where = self.method.site(node)
        position = Position(where.function, where.file, where.line, where.column)
        self.sites.append(replace(position, preemption_off=self._off, live=live, **details))
        return len(self.sites) - 1

    def _stop(
        self, node: ast.AST, live: frozenset[str], value: ast.expr | None = None
    ) -> list[ast.stmt]:
        match value:
            case ast.Call(func=ast.Attribute(attr="allocate"), args=[cls]):
                site = self._site(node, live, allocates=self._evaluate(cls).__name__)
            case _:
                site = self._site(node, live)
        return self._yield_at(node, site)

    def _yield_at(self, node: ast.AST, site: int) -> list[ast.stmt]:
        return [ast.Expr(_parsed(f"(yield {_PREFIX}stop({site}, locals()))", node))]

    def _called(self, node: ast.stmt, name: str, call: ast.Call) -> ast.expr:
        site = self._site(node, self._live.after[node] - _target(node))
        text = f"(yield from {_PREFIX}call({site}, locals(), {_PREFIX}steps(self, {name!r}, ())))"
        expression = _parsed(text, node)
        inner = expression.value.args[2]  # type: ignore[attr-defined]  # the text above
        inner.args[2].elts = call.args
        return expression

    def _in_bulk(self, node: ast.stmt, base: ast.expr, call: ast.Call) -> ast.expr:
        """Make the operation stop before each long; it keeps the records it works on."""
        assert isinstance(call.func, ast.Attribute)  # narrowed by the caller
        operation = BulkOperation(call.func.attr, tuple(ast.unparse(base).split(".")))
        site = self._site(node, self._live.after[node] - _target(node), bulk=operation)
        expression = _parsed(f"(yield from {_PREFIX}bulk({site}, locals(), 0, ()))", node)
        made = expression.value.args  # type: ignore[attr-defined]  # the text above
        owners = [e.value for e in (base, *call.args[:1]) if isinstance(e, ast.Attribute)]
        made[3].elts = copy.deepcopy(owners)
        call.func.attr += "_steps"
        made[2] = call
        return expression


class _Differences(ast.NodeTransformer):
    """Makes a negative difference a crash: all numbers of the language are unsigned."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Sub):
            return node
        call = _parsed(f"{_PREFIX}difference()", node)
        call.args = [node.left, node.right]  # type: ignore[attr-defined]  # the text above
        return call

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.stmt:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Sub) or not isinstance(node.target, ast.Name):
            return node  # a field checks its own range
        value = ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value)
        made = ast.Assign([node.target], self.visit_BinOp(ast.copy_location(value, node)))
        return ast.copy_location(made, node)


def _target(node: ast.stmt) -> frozenset[str]:
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return frozenset(t.id for t in targets if isinstance(t, ast.Name))


def _nothing(node: ast.stmt) -> ast.stmt:
    return ast.copy_location(ast.Pass(), node)


def _parsed(text: str, node: ast.AST) -> ast.expr:
    """Return an expression that claims to stand where `node` does."""
    expression = ast.parse(text, mode="eval").body
    for part in ast.walk(expression):
        ast.copy_location(part, node)
    return expression
