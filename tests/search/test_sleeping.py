"""Tests of kernels that cannot be preempted: tasks change where they sleep, or leave the kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.designs.sleeping import (
    AllocatesAtomically,
    Frugal,
    LeavesItToTheWayBack,
    SleepsInBetween,
)
from tests.support.search.searching import search_of

from iopermit.engine.control import Control
from iopermit.search.check import check
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, Reductions

if TYPE_CHECKING:
    from iopermit.system.design import Design

EVENTS = frozenset({Event.IOPERM, Event.FORK, Event.FORK_FAILS, Event.EXIT})
SCENARIO = Scenario(1, 2, 1, EVENTS)


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
