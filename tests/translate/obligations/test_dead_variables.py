"""Tests of the obligation that a local variable which is not live is zero."""

from dataclasses import replace

import pytest
from tests.support.translate.small_models import (
    CHILD,
    LEVEL,
    POINTER,
    TOTAL,
    VARIABLE,
    at,
    own,
    rule,
    small_model,
    step,
)

from iopermit.designs import designs
from iopermit.system.events import all_events
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.liveness import clear_dead_variables
from iopermit.translate.model.builder import slot_of
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import TASK, USER, Const, Goto, If, Store
from iopermit.translate.obligations.dead_variables import dead_pointers, not_zeroed
from iopermit.translate.translation import translate

WRITE = Store(VARIABLE, TASK, own(LEVEL))
ZERO = Store(VARIABLE, TASK, Const(0))
READ = Store(TOTAL, Const(0), own(VARIABLE))


def model(*, last: tuple[Store, ...] = (READ, ZERO)) -> Model:
    """Return a model that writes a variable and reads it in the next step."""
    made = small_model([step(0, WRITE, to=at(1)), step(1, *last, to=USER)])
    made.live = {at(0): frozenset(), at(1): frozenset({VARIABLE})}
    return made


def test_what_is_read_last_must_be_zeroed() -> None:
    """A step that leaves the variable as it is breaks the premise, one that zeroes it does not."""
    assert list(not_zeroed(model())) == []
    for last in ((READ,), (READ, ZERO, WRITE)):
        (broken,) = not_zeroed(model(last=last))
        assert broken == "a variable that is not live is zero: broken by small.py:1"


def test_every_way_counts() -> None:
    """A branch that leaves early with a value breaks the premise."""
    for branch in ((Goto(USER),), (WRITE,)):
        made = model()
        leaves = If(own(LEVEL), branch)
        made.steps[at(1)] = replace(made.steps[at(1)], body=(leaves, ZERO, Goto(USER)))
        assert bool(list(not_zeroed(made))) is (branch != (WRITE,))


def test_the_variable_of_another_stays_zero() -> None:
    """What a step stores into the variables of another task must be zero."""
    other = slot_of(own(CHILD))
    for value, broken in ((Const(0), False), (own(LEVEL), True)):
        made = small_model([step(0, Store(VARIABLE, other, value), to=USER)])
        assert bool(list(not_zeroed(made))) is broken


def test_events_leave_only_what_is_live() -> None:
    """An event that sets a variable which its first step does not need breaks the premise."""
    made = model()
    made.user_rules = [rule("exec", Store(VARIABLE, TASK, Const(1)), starts=1)]
    assert list(not_zeroed(made)) == []
    made.user_rules = [rule("exec", Store(VARIABLE, TASK, Const(1)), starts=0)]
    assert list(not_zeroed(made)) == ["a variable that is not live is zero: broken by exec"]


def test_pointers_that_are_dead() -> None:
    """Only pointers to heap objects of the step's own context count, where they are not live."""
    made = model()
    assert dead_pointers(made, made.steps[at(0)]) == [POINTER]
    made.live[at(0)] = frozenset({POINTER})
    assert dead_pointers(made, made.steps[at(0)]) == []


@pytest.mark.parametrize("name", designs())
def test_liveness_zeroes_what_is_dead(name: str) -> None:
    """In every shipped design each dead variable is zero."""
    assert list(not_zeroed(translate(designs()[name], Scenario(2, 3, 2, all_events())))) == []


def test_clearing_makes_it_so() -> None:
    """What `clear_dead_variables` makes of a model keeps the premise."""
    made = small_model([step(0, WRITE, to=at(1)), step(1, READ, to=USER)])
    clear_dead_variables(made)
    assert list(not_zeroed(made)) == []
