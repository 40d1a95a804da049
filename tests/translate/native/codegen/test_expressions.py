"""Tests that expressions have the same value as machine code and by definition."""

import itertools
import random

import pytest
from tests.support.translate.interpreter import OPERATIONS
from tests.support.translate.native_code import Values, random_values, run
from tests.support.translate.small_models import (
    FLAG,
    HEAP,
    KERNEL,
    LEVEL,
    MAP,
    POINTER,
    TOTAL,
    own,
    small_model,
    step,
)

from iopermit.translate.model.builder import binary
from iopermit.translate.model.nodes import (
    CHOICE,
    CPU,
    TASK,
    Binary,
    Const,
    Expr,
    Field,
    Load,
    Mask,
    Operator,
    Select,
    Unshared,
)
from iopermit.translate.native.codegen.llvm_types import I64, LlvmValue, number
from iopermit.translate.native.codegen.statements import StatementCode
from iopermit.translate.native.packing import Packing

NUMBER = Field("task", "number", 3, "counter", high=7, declared=True)
MODEL = small_model([step(0)], cpus=2)
MODEL.fields.append(NUMBER)
MODEL.live_together = [frozenset(field for field in MODEL.fields if field.local)]
PACKING = Packing(MODEL)
WORD = (1 << 64) - 1


def state(seed: int = 0) -> Values:
    """Return a random state."""
    return random_values(MODEL, random.Random(seed))


def value(expr: Expr, values: Values) -> int:
    """Return the value of an expression as machine code; it changes nothing."""
    result, after = run(PACKING, lambda code: code.value(expr), values)
    assert after == values
    return result


def truth(expr: Expr, values: Values) -> bool:
    """Return whether an expression holds as a condition of machine code."""
    wide = run(
        PACKING, lambda code: code.builder.zext(code.truth(expr), code.value(CPU).type), values
    )
    return bool(wide[0])


def taken(expr: Expr, values: Values) -> tuple[bool, set[str]]:
    """Return where a jump goes, and the names of the fields whose reading was executed."""
    read: dict[Field, LlvmValue] = {}

    def emit(code: StatementCode) -> LlvmValue:
        builder = code.builder

        def note(field: Field) -> None:
            if field not in read:
                with builder.goto_entry_block():
                    read[field] = builder.alloca(I64)
                    builder.store(number(0), read[field])
            builder.store(number(1), read[field])

        code.on_access = note
        yes, no, end = (builder.append_basic_block(name) for name in ("yes", "no", "end"))
        code.jump(expr, yes, no)
        for block in (yes, no):
            builder.position_at_end(block)
            builder.branch(end)
        builder.position_at_end(end)
        result = builder.phi(I64)
        result.add_incoming(number(1), yes)
        result.add_incoming(number(0), no)
        bits = result
        for place, cell in enumerate(read.values(), 1):
            bits = builder.or_(bits, builder.shl(builder.load(cell), number(place)))
        return bits

    bits, _ = run(PACKING, emit, values)
    executed = {field.name for place, field in enumerate(read, 1) if bits >> place & 1}
    return bool(bits & 1), executed


@pytest.mark.parametrize("op", OPERATIONS)
def test_operations(op: Operator) -> None:
    """Each operation gives what it is defined to give, negative results as 64-bit numbers."""
    values = state()
    for left, right in itertools.product((0, 1, 2, 3, 7), repeat=2):
        values["globals", "total"] = [left % 4]
        expr = Binary(op, Load(TOTAL, Const(0)), Const(right))
        assert value(expr, values) == OPERATIONS[op](left % 4, right) & WORD


@pytest.mark.parametrize("seed", range(3))
def test_every_field_of_every_slot_is_read_where_it_lies(seed: int) -> None:
    """Whatever else the words of a state hold, a field's value is its own."""
    values = state(seed)
    for field in MODEL.fields:
        for slot in range(MODEL.counts[field.record]):
            expected = values[field.record, field.name][slot]
            assert value(Load(field, Const(slot)), values) == expected, (field.name, slot)


def test_a_slot_may_be_computed() -> None:
    """A field can be read through a pointer of the same state."""
    values = state()
    values["task", "map"][0] = 2
    values[HEAP, "count"] = [1, 3]
    count = MODEL.field(HEAP, "count")
    assert value(Load(count, binary("sub", own(MAP), Const(1))), values) == 3


def test_parameters_are_those_of_the_step() -> None:
    """CPU, task and outcome are what the caller says."""
    assert [value(each, state()) for each in (CPU, TASK, CHOICE)] == [0, 0, 1]


@pytest.mark.parametrize("flag", [0, 1])
def test_alternatives(flag: int) -> None:
    """The first is taken where the condition is not 0."""
    values = state()
    values["task", "flag"][0] = flag
    assert value(Select(own(FLAG), Const(5), Const(6)), values) == (5 if flag else 6)


TRUE, FALSE = Binary("le", Const(2), Const(2)), Binary("lt", Const(2), Const(2))
"""Truth values that are computed."""
CONDITIONS = {
    "a number that is not 0": (Const(2), True),
    "a bit that is not set": (binary("and", own(LEVEL), Const(4)), False),
    "different bits of two masks": (Binary("and", Const(2), Const(1)), False),
    "a common bit of two masks": (Binary("and", Const(2), Const(3)), True),
    "a truth value or a number": (Binary("or", FALSE, Const(4)), True),
    "neither of two": (Binary("or", FALSE, Const(0)), False),
    "both": (Binary("and", TRUE, TRUE), True),
    "not both": (Binary("and", TRUE, FALSE), False),
}


@pytest.mark.parametrize("case", CONDITIONS)
def test_conditions(case: str) -> None:
    """A condition holds where its value is not 0, masks and truth values alike."""
    expr, expected = CONDITIONS[case]
    assert truth(expr, state()) is expected
    assert bool(value(expr, state())) is expected


def held(values: Values, kind: str, target: str = "") -> set[int]:
    """Return the values of all fields of a kind, in all slots."""
    fields = [f for f in MODEL.fields if (f.kind, f.target) == (kind, target)]
    return {value for field in fields for value in values[field.record, field.name]}


def mask(slots: set[int]) -> int:
    """Return the mask of some slots."""
    return sum(1 << slot for slot in slots)


@pytest.mark.parametrize("seed", range(5))
def test_masks(seed: int) -> None:
    """Masks of slots that are free, referred to, or available; and of sequence numbers."""
    values = state(seed)
    referenced = {pointer - 1 for pointer in held(values, "ref", HEAP) if pointer}
    free = {slot for slot in range(2) if not values[HEAP, "in_use"][slot]}
    assert value(Mask("referenced", HEAP), values) == mask(referenced)
    assert value(Mask("free", HEAP), values) == mask(free)
    assert value(Mask("available", HEAP), values) == mask(free | ({0, 1} - referenced))
    tasks = {slot for slot in range(2) if not values["task", "pc"][slot]}
    assert value(Mask("free", "task"), values) == mask(tasks)
    assert value(Mask("counters"), values) == mask(held(values, "counter"))


@pytest.mark.parametrize("seed", range(10))
def test_an_object_is_unshared_where_only_its_owners_refer_to_it(seed: int) -> None:
    """Pointers of other tasks count, those of the owners do not."""
    values = state(seed)
    for owners, wanted in itertools.product(((0,), (0, 1)), (1, 2)):
        others = {
            pointer
            for field in (MAP, POINTER)
            for task, pointer in enumerate(values["task", field.name])
            if task not in owners
        }
        expr = Unshared(HEAP, Const(wanted), tuple(map(Const, owners)))
        assert value(expr, values) == (wanted not in others)


JOINS: tuple[Operator, Operator] = ("and", "or")
ALONE = Unshared(HEAP, own(MAP), (TASK,))
"""Something that looks through all records."""


@pytest.mark.parametrize("seed", range(8))
def test_a_jump_goes_where_the_condition_says(seed: int) -> None:
    """Evaluated in parts or as a whole, a condition decides the same."""
    values = state(seed)
    parts: tuple[Expr, ...] = (
        ALONE,
        Binary("eq", own(FLAG), Const(1)),
        own(LEVEL),
        Mask("free", HEAP),
        TRUE,
    )
    for one, op, two, other, three in itertools.product(parts, JOINS, parts, JOINS, parts):
        expr = Binary(other, Binary(op, one, two), three)
        assert taken(expr, values)[0] is bool(value(expr, values)), expr


@pytest.mark.parametrize("flag", [0, 1])
def test_a_jump_looks_through_all_records_only_where_that_decides(flag: int) -> None:
    """The second part of a condition is left out where the first one is enough."""
    values = state()
    values["task", "flag"][0] = flag
    first = Binary("eq", own(FLAG), Const(1))
    for op, enough in zip(JOINS, (0, 1), strict=True):
        _, read = taken(Binary(op, first, ALONE), values)
        assert ("map" in read) is (flag != enough)


def test_readings_are_noted() -> None:
    """Whoever watches accesses is told of every field that is read, slots included."""
    seen: list[Field] = []

    def emit(code: StatementCode) -> LlvmValue:
        code.on_access = seen.append
        return code.value(Load(MODEL.field(HEAP, "count"), own(MAP)))

    run(PACKING, emit, state())
    assert {field.name for field in seen} == {"count", "map"}
    assert KERNEL.current not in seen
