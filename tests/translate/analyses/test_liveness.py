"""Tests which local variables are alive where, and that dead ones are zero."""

from dataclasses import replace

from tests.support.translate.small_models import (
    LEVEL,
    OTHER,
    TOTAL,
    VARIABLE,
    at,
    own,
    rule,
    small_model,
    step,
)

from iopermit.translate.analyses.liveness import clear_dead_variables, live_variables
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import TASK, USER, Const, Goto, If, Store

READ = Store(TOTAL, Const(0), own(VARIABLE))
WRITE = Store(VARIABLE, TASK, own(LEVEL))
ZERO = Store(VARIABLE, TASK, Const(0))


def straight() -> Model:
    """Return a model that writes a variable, waits, reads it and goes on without it."""
    return small_model(
        [step(0, WRITE, to=at(1)), step(1, to=at(2)), step(2, READ, to=at(3)), step(3, to=USER)]
    )


def alive(model: Model) -> list[bool]:
    """Return for each step whether the variable is alive before it."""
    live = live_variables(model)
    return [VARIABLE in live[pc] for pc in model.steps]


def test_a_variable_is_alive_from_its_write_to_its_read() -> None:
    """Before the write and behind the last read nothing needs it."""
    assert alive(straight()) == [False, True, True, False]


def test_a_write_on_one_branch_does_not_end_it() -> None:
    """Where the write may not happen, the value from before may be read."""
    model = small_model([step(0, If(own(LEVEL), (WRITE,)), to=at(1)), step(1, READ, to=USER)])
    assert alive(model) == [True, True]


def test_a_write_on_both_branches_ends_it() -> None:
    """An allocation assigns its variable whether it succeeds or fails."""
    both = If(own(LEVEL), (WRITE,), (ZERO,))
    model = small_model([step(0, both, to=at(1)), step(1, READ, to=USER)])
    assert alive(model) == [False, True]


def test_a_write_behind_a_way_out_does_not_end_it() -> None:
    """Where the step may go on elsewhere before the write, the value is read there."""
    leaves = If(own(LEVEL), (Goto(at(1)),))
    model = small_model([step(0, leaves, WRITE, to=USER), step(1, READ, to=USER)])
    assert alive(model) == [True, True]
    early = If(own(LEVEL), (WRITE, Goto(at(1))), (WRITE,))
    model = small_model([step(0, early, to=USER), step(1, READ, to=USER)])
    assert alive(model) == [False, True]


def test_a_loop_keeps_what_its_next_turn_reads() -> None:
    """A variable that a loop reads at its start is alive to its end."""
    again = If(own(LEVEL), (Goto(at(0)),), (Goto(USER),))
    model = small_model([step(0, READ, to=at(1)), step(1, to=at(2)), step(2, again)])
    assert alive(model) == [True, True, True]


def test_dead_variables_become_zero_on_the_way() -> None:
    """The step that reads a variable last stores zero into it."""
    model = straight()
    clear_dead_variables(model)
    assert model.steps[at(2)].body == (READ, ZERO, Goto(at(3)))
    assert model.steps[at(1)].body == (Goto(at(2)),)


def test_a_branch_that_drops_a_variable_clears_it_there() -> None:
    """Only the way on which it is dead gets the zero."""
    branch = If(own(LEVEL), (Goto(at(1)),), (Goto(USER),))
    model = small_model([step(0, branch), step(1, READ, to=USER)])
    clear_dead_variables(model)
    (changed, *_) = model.steps[at(0)].body
    assert changed == replace(branch, otherwise=(ZERO, Goto(USER)))


def test_variables_that_nothing_reads_are_dropped() -> None:
    """A variable that is only written has no field and no store any more."""
    model = small_model([step(0, WRITE, to=USER)])
    clear_dead_variables(model)
    assert VARIABLE not in model.fields
    assert model.steps[at(0)].body == (Goto(USER),)


def test_events_do_not_set_what_is_dead() -> None:
    """An event sets those arguments only that its first step still needs."""
    model = straight()
    model.steps[at(0)] = step(0, READ, to=USER)
    model.user_rules = [
        rule("ioperm", Store(VARIABLE, TASK, Const(1)), Store(OTHER, TASK, Const(1)), starts=0)
    ]
    clear_dead_variables(model)
    assert model.user_rules[0].body == (Store(VARIABLE, TASK, Const(1)), Goto(at(0)))


def test_what_a_step_touches_needs_room_together() -> None:
    """What is alive before a step and what it stores cannot share bits."""
    both = Store(OTHER, TASK, own(VARIABLE))
    model = small_model(
        [step(0, both, to=at(1)), step(1, Store(TOTAL, Const(0), own(OTHER)), to=USER)]
    )
    clear_dead_variables(model)
    assert frozenset({VARIABLE, OTHER}) in model.live_together
    assert model.live[at(1)] == frozenset({OTHER})
