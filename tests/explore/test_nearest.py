"""Tests of iopermit.explore.nearest: the shortest way to a violation from where a person is."""

from __future__ import annotations

import random

import pytest
from tests.support.explore import LEAK, choice, session, violation, walk

from iopermit.engine.limits import Limits
from iopermit.explore.nearest import nearest
from iopermit.system.events.recorded import ALL_EVENTS


def test_from_the_start_it_is_the_schedule_of_the_check() -> None:
    """At the beginning the way is as long as what `check` finds, and leads to a leak."""
    at = session()
    way = nearest(at)
    assert len(way.actions) == 60
    assert way.events == (
        "CPU 0, A: ioperm(0, 65536, 1)",
        "CPU 0, A to B: switch_to()",
        "CPU 0, B: ioperm(0, 64, 1)",
    )
    for action in way.actions:
        at.apply(action)
    assert at.violation == way.violation


def test_on_the_way_it_is_what_is_left() -> None:
    """After the first call two events are left."""
    at = session()
    walk(at, LEAK[0])
    way = nearest(at)
    assert (way.begins, len(way.events)) == (28, 2)
    assert way.begins + len(way.actions) == 60


@pytest.mark.parametrize(
    ("design", "bounds"),
    [
        ("linux-v2-06", (1, 2, 2)),
        ("linux-2.6.9", (1, 2, 2)),
        ("linux-2.4.20", (1, 2, 2)),
        ("linux-5.5", (2, 2, 1)),
    ],
)
def test_from_anywhere_the_way_ends_in_its_violation(
    design: str, bounds: tuple[int, int, int]
) -> None:
    """From random places, in the middle of calls too, the way can be gone to what it says."""
    chance = random.Random(7)
    at = session(design, bounds)
    gone = 0
    for _ in range(4):
        for _ in range(chance.randrange(1, 12)):
            possible = [c for group in at.choices() for c in group.choices]
            if possible:
                at.take(chance.choice(possible), whole=False)
        if violation(at) is not None:
            break
        begins, way = len(at.schedule), nearest(at, Limits(300_000, None, 30.0))
        if way.violation is None:
            break
        for action in way.actions:
            at.apply(action)
        assert violation(at) == way.violation
        at.back_to(begins)
        gone += 1
    assert gone or violation(at) is not None


def test_lost_memory_is_gone_to_where_full_size_sees_it() -> None:
    """The model sees garbage at once; at full size the way goes on until the call returns."""
    at = session("linux-2.6.9", (2, 2, 1), ALL_EVENTS)
    way = nearest(at)
    for action in way.actions:
        at.apply(action)
    found = violation(at)
    assert found == way.violation
    assert found is not None
    assert found.kind == "garbage"


def test_where_nothing_can_go_wrong_it_says_so() -> None:
    """A design that holds in the scenario has no way to a violation."""
    way = nearest(session("linux-2.6.8", (1, 1, 1)))
    assert (way.violation, way.reason, way.actions) == (None, "", ())
    assert way.states > 1


def test_a_limit_is_named() -> None:
    """At a limit nothing is said, and the limit is named."""
    way = nearest(session(), Limits(10, None, None))
    assert way.violation is None
    assert "10 states" in way.reason


def test_an_allocation_that_was_chosen_to_fail_stays_so() -> None:
    """The way goes on from what happened, also after an allocation failed."""
    at = session()
    at.take(choice(at, LEAK[0]), whole=False)
    while "allocate" not in at.choices()[0].choices[0].text:
        at.take(at.choices()[0].choices[0], whole=False)
    at.take(at.choices()[0].choices[1], whole=True)
    assert at.violation is None
    way = nearest(at)
    assert way.violation is not None
    assert way.begins == len(at.schedule)
