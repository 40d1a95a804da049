"""Tests that statements change what they name, and nothing else."""

import copy
import random
from collections.abc import Iterator

import pytest
from tests.support.translate.native_code import Values, random_values, run
from tests.support.translate.small_models import (
    COUNT,
    FLAG,
    HEAP,
    LEVEL,
    MAP,
    TOTAL,
    own,
    small_model,
    step,
)

from iopermit.translate.model.nodes import (
    LOSS,
    TASK,
    Binary,
    Check,
    Clear,
    Const,
    Expr,
    Field,
    Goto,
    If,
    Let,
    Stmt,
    Store,
    Temp,
)
from iopermit.translate.native.codegen.llvm_types import LlvmValue, number
from iopermit.translate.native.codegen.statements import StatementCode
from iopermit.translate.native.packing import Packing

MODEL = small_model([step(0)], cpus=2)
MODEL.live_together = [frozenset(field for field in MODEL.fields if field.local)]
PACKING = Packing(MODEL)


def state(seed: int = 0) -> Values:
    """Return a random state."""
    return random_values(MODEL, random.Random(seed))


def after(values: Values, *body: Stmt) -> Values:
    """Return the state after some statements."""

    def emit(code: StatementCode) -> LlvmValue:
        code.body(body)
        return number(0)

    return run(PACKING, emit, values)[1]


def changed(values: Values, field: Field, slot: int, value: int) -> Values:
    """Return the values with one of them replaced."""
    result = copy.deepcopy(values)
    result[field.record, field.name][slot] = value
    return result


def places() -> Iterator[tuple[Field, int]]:
    """Yield every field with every slot."""
    for field in MODEL.fields:
        for slot in range(MODEL.counts[field.record]):
            yield field, slot


@pytest.mark.parametrize("seed", range(2))
def test_a_store_changes_one_field_of_one_slot(seed: int) -> None:
    """All others keep their values, those in the same word too."""
    values = state(seed)
    for field, slot in places():
        for value in (0, field.high):
            stored = after(values, Store(field, Const(slot), Const(value)))
            assert stored == changed(values, field, slot, value), (field.name, slot, value)


def test_a_value_wider_than_its_field_is_cut() -> None:
    """It never spills into the fields beside."""
    values = state()
    nine = Binary("add", Const(3), Const(6))
    assert after(values, Store(LEVEL, TASK, nine)) == changed(values, LEVEL, 0, 9 % 4)


def test_statements_see_what_those_before_them_did() -> None:
    """A computed value stays, a field has its new one."""
    values, kept = state(), Temp("kept")
    values["task", "level"][0] = 2
    body = (
        Let(kept, own(LEVEL)),
        Store(LEVEL, TASK, Const(1)),
        Store(TOTAL, Const(0), Binary("add", own(LEVEL), kept)),
    )
    wanted = changed(changed(values, LEVEL, 0, 1), TOTAL, 0, 3)
    assert after(values, *body) == wanted


@pytest.mark.parametrize("flag", [0, 1])
def test_one_branch_is_executed(flag: int) -> None:
    """Then it goes on behind the conditional."""
    values = changed(state(), FLAG, 0, flag)
    branch = If(own(FLAG), (Store(LEVEL, TASK, Const(1)),), (Store(LEVEL, TASK, Const(2)),))
    wanted = changed(changed(values, LEVEL, 0, 1 if flag else 2), TOTAL, 0, 3)
    assert after(values, branch, Store(TOTAL, Const(0), Const(3))) == wanted


def test_clearing_zeroes_one_slot() -> None:
    """Every field of the slot is 0, other slots keep theirs."""
    values = state()
    wanted = copy.deepcopy(values)
    for field in MODEL.fields_of(HEAP):
        wanted[HEAP, field.name][1] = 0
    assert after(values, Clear(HEAP, Const(1))) == wanted


def ending(values: Values, *body: Stmt) -> tuple[int, Values]:
    """Return where a step goes on, or 100 plus the verdict of the check that fails."""

    def emit(code: StatementCode) -> LlvmValue:
        builder = code.builder

        def failed(verdict: int) -> LlvmValue:
            block = builder.append_basic_block("failed")
            with builder.goto_block(block):
                code.fail(verdict)
                builder.ret(number(100 + verdict))
            return block

        code.on_failure = failed
        code.on_goto = lambda target: builder.ret(number(target))
        code.body(body)
        return number(0) if not builder.block.is_terminated else _nowhere(code)

    return run(PACKING, emit, values)


def _nowhere(code: StatementCode) -> LlvmValue:
    """Continue in a block that nothing reaches."""
    code.builder.position_at_end(code.builder.append_basic_block("nowhere"))
    return number(0)


@pytest.mark.parametrize("flag", [0, 1])
def test_a_goto_ends_the_step(flag: int) -> None:
    """What follows it is not executed."""
    values = changed(state(), FLAG, 0, flag)
    branch = If(own(FLAG), (Goto(7),), (Goto(8),))
    target, same = ending(values, branch)
    assert (target, same) == (7 if flag else 8, values)


@pytest.mark.parametrize("bad", [0, 1])
def test_a_check_that_fails_ends_the_step_with_its_verdict(bad: int) -> None:
    """The state is marked, and what follows is not executed."""
    values = changed(changed(state(), FLAG, 0, bad), MODEL.kernel.bad, 0, 0)
    body = (Check(own(FLAG), "message", LOSS), Store(LEVEL, TASK, Const(3)), Goto(7))
    target, found = ending(values, *body)
    if bad:
        assert (target, found) == (100 + LOSS, changed(values, MODEL.kernel.bad, 0, LOSS))
    else:
        assert (target, found) == (7, changed(values, LEVEL, 0, 3))


def test_writes_to_objects_are_noted() -> None:
    """Whoever watches the heap is told of stores and of freed objects, not of other records."""
    seen: list[tuple[Field | None, str, Expr]] = []

    def emit(code: StatementCode) -> LlvmValue:
        code.on_heap_write = lambda *write: seen.append(write)
        slot = Const(1)
        code.body((Store(COUNT, slot, Const(0)), Clear(HEAP, slot), Store(MAP, TASK, Const(0))))
        return number(0)

    run(PACKING, emit, state())
    assert seen == [(COUNT, HEAP, Const(1)), (None, HEAP, Const(1))]
