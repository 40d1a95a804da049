"""Tests which variables may be read before they have a value, on models of a few steps."""

import pytest
from tests.support.translate.small_models import (
    FLAG,
    OTHER,
    TOTAL,
    VARIABLE,
    at,
    own,
    rule,
    small_model,
    step,
)

from iopermit.translate.analyses.assignment import unassigned
from iopermit.translate.model.model import Step
from iopermit.translate.model.nodes import (
    TASK,
    USER,
    Check,
    Const,
    Goto,
    If,
    Let,
    Stmt,
    Store,
    Temp,
)

WRITE = Store(VARIABLE, TASK, Const(1))
READ = Store(TOTAL, Const(0), own(VARIABLE))
BRANCH = If(own(FLAG), (Goto(at(1)),), (Goto(at(2)),))


def early(*steps: Step, arguments: tuple[Stmt, ...] = ()) -> int | None:
    """Return the step, from 0, that reads the variable too early, or None."""
    model = small_model(steps)
    model.user_rules = [rule("ioperm", *arguments, starts=0)]
    found = unassigned(model)
    assert found is None or found.variable == VARIABLE
    return None if found is None else found.step.pc - at(0)


def test_a_read_before_any_write() -> None:
    """Nothing has given the variable a value."""
    assert early(step(0, READ, to=USER)) == 0
    assert early(step(0, to=at(1)), step(1, READ, WRITE, to=USER)) == 1


def test_a_write_comes_first() -> None:
    """In the same step or an earlier one."""
    assert early(step(0, WRITE, READ, to=USER)) is None
    assert early(step(0, WRITE, to=at(1)), step(1, READ, to=USER)) is None


def test_arguments_have_a_value() -> None:
    """What an event sets is set."""
    assert early(step(0, READ, to=USER), arguments=(WRITE,)) is None


def test_every_way_has_to_write() -> None:
    """A step that is reached with and without a value may read none."""
    end = step(3, READ, to=USER)
    both = (step(1, WRITE, to=at(3)), step(2, WRITE, to=at(3)))
    assert early(step(0, BRANCH), *both, end) is None
    assert early(step(0, BRANCH), both[0], step(2, to=at(3)), end) == 3


def test_both_branches_of_a_step_have_to_write() -> None:
    """A conditional that goes on gives what both its branches give."""
    assert early(step(0, If(own(FLAG), (WRITE,), (WRITE,)), READ, to=USER)) is None
    assert early(step(0, If(own(FLAG), (WRITE,)), READ, to=USER)) == 0


def test_a_branch_that_leaves_has_not_to_write() -> None:
    """Only what goes on counts behind the conditional."""
    leaves = If(own(FLAG), (Goto(USER),), (WRITE,))
    assert early(step(0, leaves, READ, to=USER)) is None
    carries = If(own(FLAG), (WRITE, Goto(at(1))), (Goto(USER),))
    assert early(step(0, carries), step(1, READ, to=USER)) is None


def test_a_loop_may_not_turn() -> None:
    """What only its body writes has no value where it did not turn."""
    assert early(step(0, BRANCH), step(1, WRITE, to=at(0)), step(2, READ, to=USER)) == 2


@pytest.mark.parametrize(
    "statement",
    [
        Let(Temp("t"), own(VARIABLE)),
        Check(own(VARIABLE), "message"),
        If(own(VARIABLE), ()),
        Store(OTHER, TASK, own(VARIABLE)),
    ],
    ids=lambda each: type(each).__name__,
)
def test_every_kind_of_statement_reads(statement: Stmt) -> None:
    """Values, checks and conditions are reads."""
    assert early(step(0, statement, to=USER)) == 0


def test_steps_that_nothing_reaches_do_not_count() -> None:
    """Nothing executes them."""
    assert early(step(0, to=USER), step(1, READ, to=USER)) is None
