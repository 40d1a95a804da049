"""Lowers calls of a design's own methods, in place."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from iopermit.translate.frontend.constants import Scope
from iopermit.translate.frontend.source import EFFECTS, Method, find_method
from iopermit.translate.frontend.step_builder import InlinedCall
from iopermit.translate.frontend.types import Type, Value

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.translate.frontend.step_builder import Label, StepBuilder
    from iopermit.translate.model.nodes import (
        Field,
    )


class Calls:
    """Lowers calls in place; ``block`` lowers the statements of a method."""

    def __init__(
        self, steps: StepBuilder, block: Callable[[list[ast.stmt], Label, Label], None]
    ) -> None:
        """Add to ``steps``."""
        self.steps, self._block = steps, block

    def method_called(self, value: ast.expr) -> str | None:
        """Return the method name if ``value`` calls a method of the design that has steps."""
        match value:
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)) if (
                name not in EFFECTS and name != "refcount_dec_and_test"
            ):
                method = find_method(self.steps.design, name)
                if method is None:
                    raise self.steps.error(
                        value,
                        f"{self.steps.design.__name__} has no method {name}()",
                        f"def {name}(self, ...):",
                    )
                return name if method.expression is None else None
        return None

    def call(
        self,
        node: ast.stmt,
        call: ast.expr,
        at: Label,
        then: Label,
        *,
        result: ast.expr | Field | None,
    ) -> None:
        """Lower a call in place."""
        assert isinstance(call, ast.Call)  # narrowed by the caller
        assert isinstance(call.func, ast.Attribute)  # narrowed by the caller
        method = find_method(self.steps.design, call.func.attr)
        assert method is not None  # checked by method_called
        if call.keywords or len(call.args) != len(method.parameters):
            takes = ", ".join(method.parameters)
            raise self.steps.error(
                call, f"{method.name}() takes ({takes})", f"self.{method.name}({takes})"
            )
        site = self.steps.call.scope.method.site(node)
        if (
            any(s.function == method.name for s in self.steps.call.calls)
            or method.name == self.steps.call.scope.method.name
        ):
            raise self.steps.error(call, f"{method.name}() calls itself", "a loop")
        arguments = [self._argument(a) for a in call.args]
        inlined = InlinedCall(
            Scope(method, dict(zip(method.parameters, arguments, strict=True))),
            then,
            f"{self.steps.call.prefix}{node.lineno}:{method.name}.",
            self._receiver(node, result),
            (*self.steps.call.calls, site),
        )
        self._inline(method, inlined, at)

    def _receiver(self, node: ast.stmt, result: ast.expr | Field | None) -> Field | None:
        """Return the variable that receives the result of a call."""
        if isinstance(result, ast.Name):
            name = self.steps.local_name(result)
            known = self.steps.types.get((self.steps.record, name), Type("int", 0, 0))
            return self.steps.variable(node, name, known, result.id)
        if isinstance(result, ast.expr):
            raise self.steps.error(
                node, "the result of a call is assigned to a field", "a local variable first"
            )
        return result

    def _inline(self, method: Method, call: InlinedCall, at: Label) -> None:
        outer, outer_scope = self.steps.call, self.steps.expressions.scope
        self.steps.call, self.steps.expressions.scope = call, call.scope
        self._block(method.body, at, call.exit)
        self.steps.call, self.steps.expressions.scope = outer, outer_scope

    def _argument(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Name | ast.Constant) or ast.unparse(node).endswith(".current"):
            value = self.steps.expressions.value(node)
            if not self.steps.expressions.out:
                return value
        raise self.steps.error(
            node, "an argument that is computed in the call", "x = ... as a statement, then pass x"
        )
