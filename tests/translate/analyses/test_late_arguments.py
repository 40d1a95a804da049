"""Tests where the ports of an ioperm() call are still open, and where they are chosen."""

from tests.support.translate.small_models import (
    LEVEL,
    PORTS,
    TOTAL,
    at,
    own,
    rule,
    small_model,
    step,
)

from iopermit.translate.analyses.late_arguments import LateArguments
from iopermit.translate.analyses.liveness import clear_dead_variables
from iopermit.translate.model.builder import differ, equal
from iopermit.translate.model.model import Model, Step
from iopermit.translate.model.nodes import TASK, USER, Const, Goto, If, Store

LOOK = Store(TOTAL, Const(0), own(PORTS))
"""Reads the ports."""


def calls(*steps: Step, ranges: tuple[int, ...] = (3, 1, 2, 0)) -> Model:
    """Return a model in which a task calls ioperm() with these ports; 0 is an invalid call."""
    model = small_model(steps)
    model.user_rules = [
        rule("ioperm", Store(PORTS, TASK, Const(value)), starts=0) for value in ranges
    ]
    clear_dead_variables(model)
    return model


def opened(model: Model) -> set[int]:
    """Return the steps, from 0, at which the ports are still open."""
    return {pc - at(0) for pc in LateArguments(model).open}


STEPS = (step(0, to=at(1)), step(1, to=at(2)), step(2, LOOK, to=at(3)), step(3, to=USER))


def test_ports_are_open_until_they_are_read() -> None:
    """At the step that reads them they are chosen, behind it nothing needs them."""
    assert opened(calls(*STEPS)) == {0, 1}


def test_once_read_they_are_chosen_for_good() -> None:
    """A second read finds what the first one found: between the two they are not open."""
    steps = (step(0, to=at(1)), step(1, LOOK, to=at(2)), step(2, to=at(3)), step(3, LOOK, to=USER))
    assert opened(calls(*steps)) == {0}


def test_whether_the_range_is_empty_is_known_from_the_start() -> None:
    """A test of validity looks at nothing that is still open."""
    valid = If(differ(own(PORTS), 0), (Goto(at(1)),), (Goto(USER),))
    assert opened(calls(step(0, valid), step(1, LOOK, to=USER))) == {0}
    invalid = If(equal(own(PORTS), 0), (Goto(USER),), (Goto(at(1)),))
    assert opened(calls(step(0, invalid), step(1, LOOK, to=USER))) == {0}


BRANCH = (
    step(0, If(own(LEVEL), (Goto(at(1)),), (Goto(at(2)),))),
    step(1, LOOK, to=at(3)),
    step(2, to=at(3)),
    step(3, to=at(4)),
    step(4, LOOK, to=USER),
)
"""Reads the ports once more than is needed, on one of two ways."""


def test_a_read_on_one_way_closes_what_comes_behind_it() -> None:
    """A step that can be reached with and without the read is not open."""
    assert opened(calls(*BRANCH)) == {0, 2}


def test_the_range_is_chosen_where_the_call_comes_to_a_step_that_is_not_open() -> None:
    """It is chosen once on each way, if it is still needed there."""
    late = LateArguments(calls(*BRANCH))
    edges = [(0, 1), (0, 2), (1, 3), (2, 3), (3, 4)]
    chosen = {edge for edge in edges if late.chosen_between(at(edge[0]), at(edge[1]))}
    assert chosen == {(0, 1), (2, 3)}
    assert not late.chosen_between(at(2), USER)


def test_one_call_stands_for_all_ranges() -> None:
    """Of the valid calls only the first is an event; the invalid one stays by itself."""
    model = calls(*STEPS)
    late = LateArguments(model)
    assert late.values == (3, 1, 2)
    assert [late.is_redundant(each) for each in model.user_rules] == [False, True, True, False]


def test_with_one_range_nothing_is_open() -> None:
    """There is nothing to choose."""
    model = calls(*STEPS, ranges=(1, 0))
    assert opened(model) == set()
    assert not any(LateArguments(model).is_redundant(each) for each in model.user_rules)


def test_ports_that_nothing_reads_are_no_argument() -> None:
    """A design that never looks at the ports has no field for them."""
    late = LateArguments(calls(step(0, to=USER)))
    assert late.field is None
    assert late.open == frozenset()
