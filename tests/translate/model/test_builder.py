"""Tests of the constructors of expressions: what they fold, and what they mean."""

import itertools

import pytest
from tests.support.translate.interpreter import OPERATIONS
from tests.support.translate.small_models import FLAG, HEAP, LEVEL, own

from iopermit.translate.model.builder import (
    binary,
    candidate,
    const,
    either,
    equal,
    every,
    negate,
    slot_of,
)
from iopermit.translate.model.nodes import Binary, Const, Expr, Mask, Operator, Select


@pytest.mark.parametrize("op", OPERATIONS)
def test_constants_are_folded(op: Operator) -> None:
    """An operation on two constants gives what it gives when it is executed."""
    for left, right in itertools.product(range(4), repeat=2):
        folded = binary(op, Const(left), Const(right))
        assert folded == Const(OPERATIONS[op](left, right))


def test_other_operations_stay() -> None:
    """An operation on a field is kept as it is."""
    assert binary("add", own(LEVEL), Const(1)) == Binary("add", own(LEVEL), Const(1))


def test_conjunctions_leave_out_what_is_true() -> None:
    """Nothing is true of none, one alone is itself, and 1 adds nothing."""
    one, other = own(FLAG), negate(own(LEVEL))
    assert every() == every(Const(1)) == Const(1)
    assert every(Const(1), one) == one
    assert every(one, Const(1), other) == Binary("and", one, other)


def test_disjunctions_leave_out_what_is_false() -> None:
    """Of none nothing is true, one alone is itself, and 0 adds nothing."""
    one, other = own(FLAG), negate(own(LEVEL))
    assert either() == either(Const(0)) == Const(0)
    assert either(Const(0), one) == one
    assert either(one, Const(0), other) == Binary("or", one, other)


def test_truth_values_are_numbers() -> None:
    """True is 1, so that a field's value can be compared with it."""
    assert const(value=True) == Const(1)
    assert equal(own(FLAG), 1) == Binary("eq", own(FLAG), Const(1))


def test_a_reference_is_its_slot_plus_one() -> None:
    """The slot of a pointer is one less than its value, which is 0 for NULL."""
    assert slot_of(Const(3)) == Const(2)


def evaluated(expr: Expr, masks: dict[str, int]) -> int:
    """Return the value of an expression over masks."""
    match expr:
        case Const(value):
            return value
        case Mask(what):
            return masks[what]
        case Binary(op, left, right):
            return OPERATIONS[op](evaluated(left, masks), evaluated(right, masks))
        case Select(condition, yes, no):
            return evaluated(yes if evaluated(condition, masks) else no, masks)
    raise AssertionError(expr)


def test_an_allocator_hands_out_dangling_slots_and_one_fresh_one() -> None:
    """Any free slot that something refers to; of the others the lowest free one."""
    for free, referenced in itertools.product(range(8), repeat=2):
        masks = {"free": free, "referenced": referenced}
        handed = {
            slot
            for slot in range(3)
            if evaluated(candidate(Mask("free", HEAP), 3, Const(slot)), masks)
        }
        slots = {slot for slot in range(3) if free >> slot & 1}
        dangling = {slot for slot in slots if referenced >> slot & 1}
        assert handed == dangling | {min(slots - dangling, default=9)} - {9}
