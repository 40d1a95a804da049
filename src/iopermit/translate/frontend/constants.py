"""Names of the code being lowered, and the constants of a design, evaluated as Python does."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopermit.translate.frontend.types import Type, Value, constant
from iopermit.translate.model.nodes import Const, Field

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.translate.frontend.source import Method


@dataclass
class Scope:
    """The names that a piece of code can use: values and local variables."""

    method: Method
    names: dict[str, Value] = field(default_factory=dict)
    """Parameters: values that never change."""
    locals: dict[str, Field] = field(default_factory=dict)


def constant_truth(design: type[Design], node: ast.expr) -> bool | None:
    """Return the truth of a test on constants of the design, or None if it is not constant.

    Methods, texts and other objects of Python have a truth as well, but none of the language.
    """
    inner = {part.value for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    for part in ast.walk(node):
        match part:
            case ast.Call() | ast.Attribute(ast.Name(), "globals"):
                return None
            case ast.Constant(value) if constant(value) is None:
                return None
            case ast.Name(name) if name != "self" or part not in inner:
                return None
    chains = [part for part in ast.walk(node) if isinstance(part, ast.Attribute)]
    if any(_named(design, part) is None for part in chains if part not in inner):
        return None
    code = compile(ast.Expression(node), "<test>", "eval")
    return bool(eval(code, {}, {"self": design}))  # noqa: S307 - constants of the design


def _named(design: type[Design], node: ast.Attribute) -> Value | None:
    """Return the constant that attributes of the design name, or None if there is none."""
    code = compile(ast.Expression(node), "<name>", "eval")
    try:
        return constant(eval(code, {}, {"self": design}))  # noqa: S307 - names of the design
    except AttributeError:
        return None


def constant_value(design: type[Design], scope: Scope, node: ast.expr) -> Value | None:
    """Return the value of a constant of the language or of the design, or None if it is none."""
    if isinstance(node, ast.Constant):
        return constant(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        operand = constant_value(design, scope, node.operand)
        if operand is not None and isinstance(operand.expr, Const) and operand.type.kind == "int":
            return Value(operand.expr, Type("result", 0, operand.expr.value))
        return None
    attributes: list[str] = []
    root = node
    while isinstance(root, ast.Attribute):
        attributes.append(root.attr)
        root = root.value
    if not isinstance(root, ast.Name) or root.id in scope.names or root.id in scope.locals:
        return None
    return _evaluate(design, scope, root.id, attributes[::-1])


def _evaluate(design: type[Design], scope: Scope, root: str, attributes: list[str]) -> Value | None:
    """Evaluate a constant of the design's class or module, such as ``IoMapBase.VALID.value``."""
    module = vars(sys.modules[getattr(design, scope.method.name).__module__])
    if root != "self" and root not in module:
        return None
    if root == "self" and attributes[:1] == ["globals"]:
        return None
    result = design if root == "self" else module[root]
    try:
        for attribute in attributes:
            result = getattr(result, attribute)
    except AttributeError:
        return None
    return constant(result)
