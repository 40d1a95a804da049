"""Lowers comparisons, of values whose types allow them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from iopermit.translate.frontend.types import BOOL, Type, Value
from iopermit.translate.model.builder import binary, differ
from iopermit.translate.model.nodes import Const, Expr, Operator

if TYPE_CHECKING:
    from iopermit.translate.frontend.source import Method

COMPARISONS: dict[type[ast.cmpop], tuple[Operator, bool]] = {
    ast.Eq: ("eq", False),
    ast.NotEq: ("ne", False),
    ast.Is: ("eq", False),
    ast.IsNot: ("ne", False),
    ast.Lt: ("lt", False),
    ast.LtE: ("le", False),
    ast.Gt: ("lt", True),
    ast.GtE: ("le", True),
}
"""The operation that each operator becomes, and whether its operands are exchanged."""


def comparison(method: Method, node: ast.Compare, left: Value, right: Value) -> Value:
    """Return the value of a comparison.

    Raises DesignError if its operands cannot be compared so.
    """
    name, swap = COMPARISONS[type(node.ops[0])]
    _check_comparable(method, node, left.type, right.type)
    if "result" in (left.type.kind, right.type.kind) and name in ("lt", "le"):
        return Value(_negative(method, node, left, right), BOOL)
    pair = (right.expr, left.expr) if swap else (left.expr, right.expr)
    return Value(binary(name, *pair), BOOL)


def _negative(method: Method, node: ast.Compare, left: Value, right: Value) -> Expr:
    if isinstance(node.ops[0], ast.Lt) and right.expr == Const(0):
        return differ(left.expr, 0)
    raise method.error(node, "an error number is compared", "result < 0, or result == -ENOMEM")


def _check_comparable(method: Method, node: ast.Compare, left: Type, right: Type) -> None:
    operator = node.ops[0]
    identity = isinstance(operator, ast.Is | ast.IsNot)
    pointers = "ref" in (left.kind, right.kind)
    if pointers and not identity:
        raise method.error(node, "pointers are compared with ==", "`is` or `is not`")
    if identity and not pointers:
        raise method.error(node, "`is` compares pointers only", "== or !=")
    ordered = not isinstance(operator, ast.Eq | ast.NotEq | ast.Is | ast.IsNot)
    if ordered and "enum" in (left.kind, right.kind):
        raise method.error(node, "members of an enumeration have no order", "== or !=")
    if ordered and "counter" in (left.kind, right.kind):
        raise method.error(node, "the order of sequence numbers is compared", "== or !=")
    if "counter" in (left.kind, right.kind) and (left.kind, right.kind) != ("counter", "counter"):
        other = left if right.kind == "counter" else right
        if other.kind != "int" or other.high:
            raise method.error(
                node, "a sequence number is compared with another number", "a comparison with 0"
            )
        return
    if left.join(right) is None and {left.kind, right.kind} != {"int"}:
        raise method.error(
            node, f"{left.kind} and {right.kind} are compared", "two values of the same kind"
        )
