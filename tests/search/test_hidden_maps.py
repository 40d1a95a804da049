"""Tests that stale maps are forgotten exactly where nothing can tell, and nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.search.searching import search_of

from iopermit.designs import find
from iopermit.search.check import check
from iopermit.search.exploration.native import NativeFunctions, initial_state
from iopermit.system.events import Event
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import (
    COUNTERS,
    HIDDEN_MAPS,
    MERGING,
    NO_REDUCTIONS,
    Reductions,
)
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.native.jit import compile_model
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from iopermit.search.exploration.design_search import DesignSearchResult

ONLY = NO_REDUCTIONS.with_(HIDDEN_MAPS, MERGING, COUNTERS)
"""Forgetting hidden maps, and what it needs: merging, and renaming of sequence numbers."""
CALM = PLAIN_EVENTS - {Event.PREEMPT}
FEW = frozenset({Event.IOPERM, Event.EXIT, Event.FORK})


def explored(
    name: str, scenario: Scenario, reductions: Reductions
) -> tuple[DesignSearchResult, NativeFunctions]:
    """Search everything."""
    search = search_of(name, scenario, reductions=reductions)
    assert search.result.exhausted
    return search.result, search.functions


def reachable(native: NativeFunctions, start: tuple[int, ...]) -> set[tuple[int, ...]]:
    """Return all states, searched with a loop of Python's own."""
    found, waiting = {start}, [start]
    while waiting:
        state = waiting.pop()
        for _, successor in native.successors(native.stored(state)):
            words = tuple(int(word) for word in successor)
            if words not in found:
                found.add(words)
                waiting.append(words)
    return found


@pytest.mark.parametrize(
    ("name", "events"),
    [("linux-2.6.8", CALM), ("linux-2.6.10-L1", FEW), ("linux-6.16", FEW)],
)
def test_the_states_are_those_of_the_whole_search(name: str, events: frozenset[Event]) -> None:
    """Hiding the maps of all states there are gives the very states that the search visits."""
    scenario = Scenario(1, 2, 1, events)
    result, native = explored(name, scenario, ONLY)
    model = translate(find(name), scenario)
    without = replace(ONLY, hidden=False)
    plain = NativeFunctions(compile_model(model, without, native.compiled.assumed, optimised=False))
    initial = initial_state(plain, initial_values(scenario, model))
    everything = reachable(plain, tuple(int(word) for word in initial))
    hidden = {
        tuple(int(word) for word in native.canonical(native.stored(state))) for state in everything
    }
    assert hidden == reachable(native, tuple(int(w) for w in native.canonical(initial)))
    assert len(hidden) == result.states < len(everything)
    assert native.compiled.hidden is not None
    assert not native.compiled.hidden.failed


@pytest.mark.parametrize("name", ["linux-2.6.8", "linux-2.6.10-L1", "linux-6.16+preempt_off"])
def test_maps_that_do_not_matter_are_forgotten(name: str) -> None:
    """Where every stale map is overwritten before it can be used, there are fewer states."""
    result, native = explored(name, Scenario(1, 2, 2, CALM), Reductions())
    without, _ = explored(name, Scenario(1, 2, 2, CALM), Reductions().without(HIDDEN_MAPS))
    assert native.compiled.hidden is not None
    assert native.compiled.hidden.is_on
    assert result.states < without.states


@pytest.mark.parametrize("name", ["linux-v2-06", "linux-v2-06-reviewed", "linux-ecc7e37d"])
def test_maps_that_matter_are_kept(name: str) -> None:
    """Where a stale map can come back, it is not forgotten: the leak is found as without."""
    scenario = Scenario(1, 3, 2, frozenset({Event.IOPERM, Event.MIGRATE}))
    search = search_of(name, scenario)
    result, hidden = search.result, search.functions.compiled.hidden
    assert hidden is not None
    assert not hidden.is_on
    without = Reductions().without(HIDDEN_MAPS)
    kept = search_of(name, scenario, reductions=without).result
    assert result.states == kept.states
    assert {kind for kind, _ in result.found} == {kind for kind, _ in kept.found} == {"leak"}


def test_a_violation_behind_forgotten_maps_is_replayed() -> None:
    """A schedule found among states with forgotten maps is confirmed at full size."""
    verdict = check(find("linux-6.16"), Scenario(1, 2, 1, PLAIN_EVENTS))
    assert verdict.verdict == "violated"
    assert verdict.search.confirmed_full_size
