"""Small constructors of expressions, so that rules read well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import Binary, Const, Expr, Mask, Operator

if TYPE_CHECKING:
    from collections.abc import Callable


def const(value: int) -> Const:
    """Return a constant; a truth value is 0 or 1."""
    return Const(int(value))


def binary(op: Operator, left: Expr, right: Expr) -> Expr:
    """Return ``left op right``, folded where both are constants."""
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(folded(op, left.value, right.value))
    return Binary(op, left, right)


def folded(op: Operator, left: int, right: int) -> int:
    """Return the value of an operation on two numbers."""
    return _FOLD[op](left, right)


_FOLD: dict[Operator, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b,
    "shr": lambda a, b: a >> b,
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
}


def equal(left: Expr, right: Expr | int) -> Expr:
    """Return whether both are equal."""
    return binary("eq", left, const(right) if isinstance(right, int) else right)


def differ(left: Expr, right: Expr | int) -> Expr:
    """Return whether both differ."""
    return binary("ne", left, const(right) if isinstance(right, int) else right)


def negate(value: Expr) -> Expr:
    """Return 1 if ``value`` is 0, else 0."""
    return equal(value, 0)


def every(*values: Expr) -> Expr:
    """Return the conjunction of truth values."""
    return _reduce("and", Const(1), values)


def either(*values: Expr) -> Expr:
    """Return the disjunction of truth values."""
    return _reduce("or", Const(0), values)


def _reduce(op: Operator, neutral: Const, values: tuple[Expr, ...]) -> Expr:
    rest = [value for value in values if value != neutral]
    result: Expr = rest[0] if rest else neutral
    for value in rest[1:]:
        result = binary(op, result, value)
    return result


def slot_of(reference: Expr) -> Expr:
    """Return the slot that a reference value refers to."""
    return binary("sub", reference, Const(1))


def bit_of(mask: Expr, index: Expr) -> Expr:
    """Return one bit of a mask."""
    return binary("and", binary("shr", mask, index), Const(1))


def candidate(free: Mask, slots: int, slot: Expr) -> Expr:
    """Return whether an allocator may hand out ``slot``.

    Free slots that something still refers to (address reuse), and the lowest free slot that
    nothing refers to: all others differ from that one only in name.
    """
    every_slot = Const((1 << slots) - 1)
    referenced = binary("and", Mask("referenced", free.record), every_slot)
    fresh = binary("and", free, binary("xor", referenced, every_slot))
    below = binary("sub", binary("shl", Const(1), slot), Const(1))
    lowest = equal(binary("and", fresh, below), 0)
    return binary("and", bit_of(free, slot), binary("or", bit_of(referenced, slot), lowest))


def dangling(free: Mask, slots: int) -> Expr:
    """Return the free slots of a class that something still refers to, one bit each."""
    referenced = binary("and", Mask("referenced", free.record), Const((1 << slots) - 1))
    return binary("and", referenced, free)
