"""Lowers loops: a test before each turn, or a count of turns."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.translate.frontend.constants import constant_truth
from iopermit.translate.frontend.types import Type
from iopermit.translate.model.builder import binary, const, differ
from iopermit.translate.model.nodes import Const, Goto, If, Load, Stmt, Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.translate.frontend.step_builder import Label, StepBuilder


class Loops:
    """Lowers loops; ``block`` lowers the statements in them."""

    def __init__(
        self, steps: StepBuilder, block: Callable[[list[ast.stmt], Label, Label], None]
    ) -> None:
        """Add to ``steps``."""
        self.steps, self._block = steps, block

    def while_(self, node: ast.While, at: Label, then: Label) -> None:
        """Lower a loop that tests before each turn."""
        folded = constant_truth(self.steps.design, node.test)
        leaves = any(isinstance(n, ast.Break | ast.Return) for n in ast.walk(node))
        if folded and not leaves:
            raise self.steps.error(
                node, "an unbounded loop: nothing in it ends it", "a condition, `break` or `return`"
            )
        if node.orelse:
            raise self.steps.error(
                node, "the design language has no `else` of a loop", "the statements after the loop"
            )
        body = self.steps.label()
        if folded is None:
            condition = self.steps.expressions.truth(node.test)
            self.steps.emit(at, node.test, [If(condition, (Goto(body),), (Goto(then),))], None)
        else:
            self.steps.alias(at, body if folded else then)
        self._loop_body(node.body, body, at, then)

    def _loop_body(self, statements: list[ast.stmt], at: Label, again: Label, done: Label) -> None:
        outer, self.steps.call.loop = self.steps.call.loop, (again, done)
        self._block(statements, at, again)
        self.steps.call.loop = outer

    def for_(self, node: ast.For, at: Label, then: Label) -> None:
        """Lower a loop over a range, whose turns are counted when it begins."""
        target, count = self._counted(node)
        value = self.steps.expressions.value(count)
        if value.type.longs:
            message = "a loop over a number of longs, of which a scenario has few for many"
            raise self.steps.error(count, message, "copy_from(), fill(), change() or extent()")
        prefix = f"{self.steps.call.prefix}{target.id}@{node.lineno}"
        end = self.steps.variable(node, f"{prefix}.end", replace(value.type, low=0))
        index = self.steps.local(target, Type("int", 0, max(0, value.type.high - 1)))
        body, latch = self.steps.label(), self.steps.label()
        enter = If(differ(value.expr, 0), (Goto(body),), (Goto(then),))
        self.steps.emit(
            at,
            node,
            [
                Store(end, self.steps.context, value.expr),
                Store(index, self.steps.context, const(0)),
                enter,
            ],
            None,
        )
        self._loop_body(node.body, body, latch, then)
        following = binary("add", Load(index, self.steps.context), Const(1))
        more = binary("lt", following, Load(end, self.steps.context))
        again: tuple[Stmt, ...] = (Store(index, self.steps.context, following), Goto(body))
        self.steps.emit(
            latch,
            node,
            [If(more, again, (Goto(then),))],
            None,
            label="next iteration",
            counted=True,
        )

    def _counted(self, node: ast.For) -> tuple[ast.Name, ast.expr]:
        """Return the variable and the number of turns. Raises DesignError for another loop."""
        match node:
            case ast.For(
                target=ast.Name() as target,
                iter=ast.Call(func=ast.Name(id="range"), args=[count]),
                orelse=[],
            ):
                pass
            case _:
                raise self.steps.error(
                    node, "a loop over something else than range(n)", "for i in range(n):"
                )
        misused = _misuse_of(target.id, self.steps.call.scope.method.node)
        if misused is not None:
            raise self.steps.error(
                misused,
                f"{target.id!r}, the variable of a loop, is used outside of it, or assigned",
                "another variable",
            )
        return target, count


def _misuse_of(name: str, method: ast.FunctionDef) -> ast.Name | None:
    """Return where a loop's variable is used as what it is not: only the loop sets and reads it.

    Behind the loop it would have its last value, or none if there was no turn; set inside, it would
    have the next value at the next turn all the same.
    """
    loops = [
        each
        for each in ast.walk(method)
        if isinstance(each, ast.For)
        and isinstance(each.target, ast.Name)
        and each.target.id == name
    ]
    nested = {id(inner) for each in loops for part in each.body for inner in ast.walk(part)}
    targets = {id(each.target) for each in loops if id(each) not in nested}
    uses = (n for n in ast.walk(method) if isinstance(n, ast.Name) and n.id == name)
    for use in uses:
        reads = isinstance(use.ctx, ast.Load) and id(use) in nested
        if not reads and id(use) not in targets:
            return use
    return None
