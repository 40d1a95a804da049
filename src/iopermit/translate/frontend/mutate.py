"""Weakens a design one statement at a time: makes its mutants, each a file like a user's own."""

from __future__ import annotations

import ast
import copy
import inspect
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.system.events.hooks import HOOKS
from iopermit.translate.frontend.source import EFFECTS, Method, find_method, is_overridden

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iopermit.system.design import Design

_ERROR_CHECKS: Final = (".is_valid(", ".privileged", "MAX_IOPL:", "level ")
"""What tells a check of the arguments of a system call; these are no part of the protocol."""


@dataclass(frozen=True)
class Mutation:
    """One change of one statement of a design."""

    design: type[Design]
    method: str
    file: str
    """The file of the statement, which may be that of a base class."""
    line: int
    statement: str
    """Its first line as `ast.unparse` writes it, numbered where a method repeats it."""
    change: str
    """``removed``, ``region removed``, ``never``, ``always``, or ``... instead of ...``."""
    source: str
    """The mutated method."""

    @property
    def key(self) -> tuple[str, str, str]:
        """Method, statement and change; the line may move."""
        return self.method, self.statement, self.change

    def write(self, file: Path) -> None:
        """Write a design file whose one class is the mutant, and overrides the one method."""
        function = inspect.getattr_static(self.design, self.method)
        body = "\n".join("    " + line if line else "" for line in self.source.splitlines())
        name = self.design.__name__
        file.write_text(
            f'"""A mutant of {self.design.id}: {self.change}: {self.statement}"""\n\n'
            "from __future__ import annotations\n\n"
            f"from {function.__module__} import *\n"
            f"from {self.design.__module__} import {name}\n\n\n"
            f"class Mutant({name}):\n"
            f'    id = "{self.design.id}-mutant"\n\n{body}\n',
            encoding="utf-8",
        )


def mutations(design: type[Design]) -> list[Mutation]:
    """Return every mutation of `design`, in the order of hooks and lines.

    Removed is each store to a field, bulk operation, call and assertion, and each region with
    preemption off (what is in it stays). Each `if` but those that check the arguments and
    privileges of a system call is taken never, and always. Each `max(a, b)` becomes `a`, and
    `b`, and each `extent(at_least=1)` becomes `extent()`.
    """
    found: list[Mutation] = []
    count: Counter[tuple[str, str, str]] = Counter()
    for method in _methods(design):
        for node, change, source in _Mutator(design, method).all():
            text = ast.unparse(node).splitlines()[0]
            key = (method.name, text, change)
            count[key] += 1
            if count[key] > 1:
                text += f"  # ({count[key]})"
            found.append(
                Mutation(design, method.name, method.file, node.lineno, text, change, source)
            )
    return found


def _methods(design: type[Design]) -> list[Method]:
    """Return the methods with effects that the hooks lead to, callees after their callers."""
    names = [name for name in HOOKS if is_overridden(design, name)]
    found: list[Method] = []
    for name in names:
        method = find_method(design, name)
        if method is None or method.expression is not None:
            continue
        found.append(method)
        callees = dict.fromkeys(_callees(design, method))
        names += [callee for callee in callees if callee not in names]
    return found


def _callees(design: type[Design], method: Method) -> Iterator[str]:
    for statement in _live(design, method.body):
        for node in ast.walk(_own_part(statement)):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                    if name not in EFFECTS and name != "refcount_dec_and_test":
                        yield name


def _own_part(statement: ast.stmt) -> ast.AST:
    """Return what of a compound statement is not in its blocks."""
    match statement:
        case ast.If() | ast.While():
            return statement.test
        case ast.For() | ast.With():
            return ast.Pass()
    return statement


def _constant(design: type[Design], test: ast.expr) -> bool | None:
    """Return the value of a test that is just an option of the design, as `lower` folds it."""
    match test:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            value = _constant(design, operand)
            return None if value is None else not value
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            value = getattr(design, name, None)
            return value if isinstance(value, bool) else None
    return None


def _live(design: type[Design], body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements, inner ones too, that the design's options do not switch off."""
    for statement in body:
        match statement:
            case ast.If():
                constant = _constant(design, statement.test)
                if constant is None:
                    yield statement
                if constant is not False:
                    yield from _live(design, statement.body)
                if constant is not True:
                    yield from _live(design, statement.orelse)
            case ast.While() | ast.For() | ast.With():
                yield statement
                yield from _live(design, statement.body)
            case _:
                yield statement


class _Mutator:
    """Makes the mutants of one method."""

    def __init__(self, design: type[Design], method: Method) -> None:
        self.design, self.method = design, method

    def all(self) -> Iterator[tuple[ast.stmt, str, str]]:
        """Yield the statement, what was changed, and the method with the change."""
        for node in _live(self.design, self.method.body):
            for change, statements in _changes(node):
                yield node, change, self._with(node, statements)

    def _with(self, node: ast.stmt, statements: list[ast.stmt]) -> str:
        # The copy keeps `node` itself, so that it can be found there.
        function = copy.deepcopy(self.method.node, {id(node): node})
        for inner in ast.walk(function):
            for block in _blocks(inner):
                if node in block:
                    at = block.index(node)
                    block[at : at + 1] = statements
        _drop_unread(function, _read(self.method.node))
        return ast.unparse(ast.fix_missing_locations(function))


def _read(function: ast.FunctionDef) -> set[str]:
    """Return the names that a method reads."""
    names = (n for n in ast.walk(function) if isinstance(n, ast.Name))
    return {n.id for n in names if isinstance(n.ctx, ast.Load)}


def _drop_unread(function: ast.FunctionDef, before: set[str]) -> None:
    """Drop what only computes a variable that the change left without a reader.

    A variable that had none before the change either is there for what its value reads.
    """
    read = _read(function)
    for block in [b for inner in ast.walk(function) for b in _blocks(inner)]:
        for at, statement in enumerate(block):
            match statement:
                case ast.Assign(targets=[ast.Name(id=name)]) if name in before - read:
                    if "self." not in ast.unparse(statement.value):
                        block[at] = ast.copy_location(ast.Pass(), statement)
                        _drop_unread(function, before)
                        return


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            yield block


def _changes(node: ast.stmt) -> Iterator[tuple[str, list[ast.stmt]]]:
    """Yield the changes of one statement: what is different, and what stands there instead."""
    match node:
        case ast.With():
            yield "region removed", node.body
        case ast.If() if not any(check in ast.unparse(node.test) + ":" for check in _ERROR_CHECKS):
            yield "never", node.orelse or [ast.Pass()]
            yield "always", node.body
        case ast.Assert() | ast.AugAssign() | ast.Expr(value=ast.Call()):
            yield "removed", [ast.Pass()]
        case ast.Assign(targets=[ast.Attribute()]):
            yield "removed", [ast.Pass()]
    if isinstance(node, ast.Assign | ast.Expr):
        yield from _weaker_expressions(node)


def _weaker_expressions(node: ast.stmt) -> Iterator[tuple[str, list[ast.stmt]]]:
    for inner in ast.walk(node):
        match inner:
            case ast.Call(func=ast.Name(id="max"), args=[first, second]):
                choices: list[ast.expr] = [first, second]
            case ast.Call(func=ast.Attribute(attr="extent") as function, keywords=[_]):
                choices = [ast.Call(function, [], [])]
            case _:
                continue
        for choice in choices:
            changed = _ReplaceExpression(inner, choice).visit(
                copy.deepcopy(node, {id(inner): inner})
            )
            yield f"{ast.unparse(choice)} instead of {ast.unparse(inner)}", [changed]


class _ReplaceExpression(ast.NodeTransformer):
    """Puts an expression in the place of another."""

    def __init__(self, node: ast.expr, other: ast.expr) -> None:
        self.node, self.other = node, other

    def visit_Call(self, node: ast.Call) -> ast.expr:
        """Replace the one call."""
        if node is self.node:
            return self.other
        self.generic_visit(node)
        return node
