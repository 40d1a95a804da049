"""Tests of kernels that cannot be preempted: tasks change where they sleep, or leave the kernel."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from tests.support.designs.sleeping import (
    AllocatesAtomically,
    Frugal,
    LeavesItToTheWayBack,
    SleepsInBetween,
)
from tests.support.designs.sleeping_first import TRUSTING, Resumed
from tests.support.search.lockstep import Lockstep
from tests.support.search.searching import search_of

from iopermit.engine.control import Control
from iopermit.search.check import check
from iopermit.system.events import Event, all_events
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, Reductions

if TYPE_CHECKING:
    from iopermit.system.design import Design

EVENTS = frozenset({Event.IOPERM, Event.FORK, Event.FORK_FAILS, Event.EXIT})
SCENARIO = Scenario(1, 2, 1, EVENTS)
EVERYTHING = Scenario(1, 2, 1, all_events() - {Event.PREEMPT})


@pytest.mark.parametrize("design", [SleepsInBetween, LeavesItToTheWayBack])
def test_what_another_task_does_meanwhile_is_found(design: type[Design]) -> None:
    """The leak shows with and without reductions, and when its schedule is executed."""
    for reductions in (NO_REDUCTIONS, Reductions()):
        assert set(search_of(design, SCENARIO, reductions=reductions).result.violations) == {"leak"}
    assert check(design, SCENARIO, control=Control()).violation is not None


@pytest.mark.parametrize("design", [Frugal, AllocatesAtomically])
def test_what_does_not_sleep_is_not_interrupted(design: type[Design]) -> None:
    """Nothing comes between two statements, nor into an allocation with preemption off."""
    for reductions in (NO_REDUCTIONS, Reductions()):
        result = search_of(design, SCENARIO, reductions=reductions).result
        assert result.exhausted
        assert not result.violations


@pytest.mark.parametrize("design", TRUSTING)
def test_sleep_before_a_hook_is_found(design: type[Design]) -> None:
    """What the kernel does before it calls a hook may sleep, with and without reductions."""
    for reductions in (NO_REDUCTIONS, Reductions()):
        result = search_of(design, EVERYTHING, reductions=reductions).result
        assert set(result.violations) == {"crash"}
    verdict = check(design, EVERYTHING, control=Control())
    assert verdict.violation is not None
    assert verdict.trace is not None
    assert any(step.sleeps for step in verdict.trace)


def test_without_trust_nothing_is_wrong() -> None:
    """It is the hooks that crash, and nothing else in these designs."""
    for reductions in (NO_REDUCTIONS, Reductions()):
        result = search_of(Resumed, EVERYTHING, reductions=reductions).result
        assert result.exhausted
        assert not result.violations


@pytest.mark.parametrize("design", [Resumed, *TRUSTING])
def test_sleep_before_a_hook_is_the_same_in_both_readings(design: type[Design]) -> None:
    """The compiled model and the Python reading agree on 2,000 random steps."""
    walk = Lockstep(design, EVERYTHING).walk(2000, random.Random(design.id))
    assert walk.steps == 2000
