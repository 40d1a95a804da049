"""Tests of iopermit.search.counterexample.path: from a path of the search to single steps."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from tests.support.search.searching import search_of

from iopermit.engine.errors import ScheduleError
from iopermit.search.check import check
from iopermit.search.compilation import compiled_plainly
from iopermit.search.counterexample.counterexamples import counterexample, counterexamples
from iopermit.search.exploration.native import NativeFunctions
from iopermit.system.events import Event
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS
from iopermit.translate.frontend.load import load_design

FOLLOWED: Final = Path(__file__).parents[2] / "support" / "designs" / "followed.py"
LEAKY = Scenario(1, 2, 2, PLAIN_EVENTS)


def test_merged_steps_become_single_ones() -> None:
    """A schedule has a step for every statement, more than the path of the search has states."""
    search = search_of("linux-v2-06", LEAKY)
    (found,) = counterexamples(search).counterexamples
    ((_, path),) = search.result.found.items()
    assert found.kind == "leak"
    assert len(found.schedule) > len(path) - 1
    events = [t.action.event for t in found.schedule if not t.action.is_step]
    assert events == ["ioperm", "switch", "ioperm"]


def test_without_reductions_the_path_is_the_schedule() -> None:
    """Where no step is merged and no state renamed, each state of the path is one step away."""
    search = search_of("linux-v2-06", Scenario(1, 2, 2, LEAKY.events), reductions=NO_REDUCTIONS)
    (found,) = counterexamples(search).counterexamples
    ((_, path),) = search.result.found.items()
    assert len(found.schedule) == len(path) - 1


def test_a_path_that_cannot_be_followed_is_an_error() -> None:
    """A path with a state left out, or one that ends before the violation, is no schedule."""
    search = search_of("linux-v2-06", LEAKY)
    ((_, path),) = search.result.found.items()
    plain = NativeFunctions(compiled_plainly(search.source, NO_REDUCTIONS))
    with pytest.raises(ScheduleError, match="no step leads"):
        counterexample(search, plain, [path[0], *path[3:]])
    with pytest.raises(ScheduleError, match="without a violation"):
        counterexample(search, plain, path[:2])


@pytest.mark.parametrize(
    ("name", "events", "kind"),
    [
        ("SpinsForEver", {Event.IOPERM, Event.ALLOCATION_FAILS}, "crash"),
        ("LosesTheFirst", {Event.IOPERM, Event.PREEMPT}, "garbage"),
    ],
)
def test_a_violation_is_followed_past_loops_and_names(
    name: str, events: set[Event], kind: str
) -> None:
    """A merged step that never ends, and a lost object, which no name tells, are no obstacle."""
    scenario = Scenario(1, 2, 1, frozenset(events))
    verdict = check(load_design(f"{FOLLOWED}:{name}"), scenario)
    assert verdict.violation is not None
    assert (verdict.violation.kind, verdict.search.confirmed_full_size) == (kind, True)
