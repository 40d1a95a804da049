"""Values of formulas: numbers where they are known, terms of the solver where they are not.

A value is a Python number, a bit vector of `BITS` bits, or a truth value of the solver.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import z3

from iopermit.translate.model.builder import folded

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from iopermit.translate.model.nodes import Operator

BITS: Final = 16
"""Bits of a term: masks over slots and all program counters fit."""
_MASK: Final = (1 << BITS) - 1

Value: TypeAlias = Any
"""A number, or a term of z3, which has no annotations of use."""
Truth: TypeAlias = Any
"""True, False, or a truth value of the solver."""

_TERMS: Final = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b,
    "shr": z3.LShR,
}
_COMPARISONS: Final = {
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "lt": z3.ULT,
    "le": z3.ULE,
}


def bits(value: Value) -> Value:
    """Return a value as a bit vector."""
    if isinstance(value, int):
        return _number_term(value & _MASK)
    if isinstance(value, z3.BoolRef):
        return _kept("ite", z3.If, value, _number_term(1), _number_term(0))
    return value


@functools.cache
def _number_term(value: int) -> Value:
    return z3.BitVecVal(value, BITS)


_MADE: Final[dict[tuple[Hashable, ...], tuple[Value, ...]]] = {}
"""Terms by what they are made of, with that: nearly all are asked for again and again, and making
one takes the solver's interface longer than the solver takes to decide."""
_MOST_MADE: Final = 400_000


def _kept(name: str, make: Callable[..., Value], *parts: Value) -> Value:
    """Return the term that ``make`` makes of some terms; the solver has one of each."""
    key = (name, *(part.ast.value for part in parts))
    known = _MADE.get(key)
    if known is None:
        if len(_MADE) >= _MOST_MADE:
            _MADE.clear()
        # The parts are kept, too: while they are, nothing else has their addresses.
        known = _MADE[key] = (make(*parts), *parts)
    return known[0]


def truth(value: Value) -> Truth:
    """Return whether a value is not 0."""
    if isinstance(value, int):
        return value != 0
    return value if isinstance(value, z3.BoolRef) else _kept("true", lambda v: v != 0, value)


def negation(value: Truth) -> Truth:
    """Return the opposite of a truth value."""
    return not value if isinstance(value, bool) else _kept("not", z3.Not, value)


def conjunction(*values: Truth) -> Truth:
    """Return whether all truth values hold."""
    rest = [v for v in values if v is not True]
    if any(v is False for v in rest):
        return False
    return _kept("all", z3.And, *rest) if len(rest) > 1 else rest[0] if rest else True


def disjunction(*values: Truth) -> Truth:
    """Return whether any truth value holds."""
    rest = [v for v in values if v is not False]
    if any(v is True for v in rest):
        return True
    return _kept("any", z3.Or, *rest) if len(rest) > 1 else rest[0] if rest else False


def _same(left: Value, right: Value) -> bool:
    """Return whether two values are one number or one term."""
    if isinstance(left, int) or isinstance(right, int):
        return isinstance(left, int) and isinstance(right, int) and left == right
    return bool(left.ast.value == right.ast.value)


def alike(left: Value, right: Value) -> Truth:
    """Return whether two values are equal."""
    if _same(left, right):
        return True
    if isinstance(left, int) and isinstance(right, int):
        return False
    if isinstance(left, int) != isinstance(right, int):
        number, term = (left, right) if isinstance(left, int) else (right, left)
        if isinstance(term, z3.BoolRef):
            return {0: negation(term), 1: term}.get(number, False)
    return _kept("eq", _COMPARISONS["eq"], bits(left), bits(right))


def choice(condition: Truth, yes: Value, no: Value) -> Value:
    """Return one of two values."""
    if isinstance(condition, bool):
        return yes if condition else no
    if _same(yes, no):
        return yes
    return _kept("ite", z3.If, condition, bits(yes), bits(no))


def operation(name: Operator, left: Value, right: Value) -> Value:
    """Return the value of an operation of the intermediate form."""
    if isinstance(left, int) and isinstance(right, int):
        return folded(name, left, right) & _MASK
    if name in _COMPARISONS:
        if name in ("eq", "ne"):
            equal = alike(left, right)
            return _number(equal if name == "eq" else negation(equal))
        return _number(_kept(name, _COMPARISONS[name], bits(left), bits(right)))
    if name in ("and", "or") and all(_is_truth(v) for v in (left, right)):
        both = conjunction if name == "and" else disjunction
        return _number(both(truth(left), truth(right)))
    return _kept(name, _TERMS[name], bits(left), bits(right))


def _number(value: Truth) -> Value:
    return int(value) if isinstance(value, bool) else value


def _is_truth(value: Value) -> bool:
    return value in (0, 1) if isinstance(value, int) else isinstance(value, z3.BoolRef)
