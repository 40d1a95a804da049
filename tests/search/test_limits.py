"""Tests of the ends of a search: limits, threads, interruption, coverage, confirmation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.search.searching import search_of

from iopermit.designs import find
from iopermit.engine.control import Control
from iopermit.engine.errors import ReplayError
from iopermit.engine.limits import Limits
from iopermit.search import compare
from iopermit.search.check import check
from iopermit.search.counterexample.confirmation import Confirmation, confirm
from iopermit.system.events import Event, all_events
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, Reductions
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.mutate import mutations

if TYPE_CHECKING:
    from iopermit.engine.progress import Progress
    from iopermit.search.counterexample.counterexamples import DesignCounterexample
    from iopermit.search.problem import Problem
    from iopermit.system.design import Design

SMALL = Scenario(1, 2, 1, PLAIN_EVENTS - {Event.PREEMPT})
HOLDS = "linux-v2-06-reviewed+prev_max"
LEAKY = Scenario(1, 2, 2, SMALL.events - {Event.FORK, Event.EXEC, Event.IOPL})
NONE = NO_REDUCTIONS

SUPPORT = Path(__file__).parents[1] / "support/search"


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(max_states=50), "limit of 50 states"),
        (Limits(max_memory=10_000), "memory limit"),
        (Limits(timeout=0.0), "time limit of 0 s"),
    ],
    ids=["states", "memory", "time"],
)
def test_a_limit_leaves_the_verdict_open(
    limits: Limits, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A search that a limit ends is undetermined, says which limit, and is not exhaustive."""
    # The memory limit allows for one buffer beyond it: a small one, for so small a search.
    monkeypatch.setattr("iopermit.search.exploration.visited.BUFFER", 256)
    assert check(find(HOLDS), SMALL).verdict == "holds"
    limited = check(find(HOLDS), SMALL, control=Control(limits))
    assert limited.verdict == "undetermined"
    assert reason in limited.reason
    assert not limited.search.exhausted
    assert limited.violation is None


@pytest.mark.parametrize("name", [HOLDS, "linux-v2-06", "linux-5.5-xen-pv"])
def test_two_threads_find_what_one_finds(name: str) -> None:
    """Two threads visit exactly the states and transitions of one, and find the same kinds."""
    one = search_of(name, SMALL, exhaustive=True).result
    two = search_of(name, SMALL, exhaustive=True, threads=2).result
    assert one.exhausted
    assert two.exhausted
    assert (two.states, two.transitions, two.depth) == (one.states, one.transitions, one.depth)
    assert two.violations == one.violations


def test_two_threads_find_a_shortest_schedule() -> None:
    """With two threads the first violation of linux-v2-06 is as many steps away as with one."""
    one = check(find("linux-v2-06"), LEAKY, reductions=NONE)
    two = check(find("linux-v2-06"), LEAKY, reductions=NONE, threads=2)
    assert one.trace is not None
    assert two.trace is not None
    assert one.verdict == two.verdict == "violated"
    assert len(one.trace) == len(two.trace)


def test_an_interrupted_search_tells_how_far_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a search as undetermined, with the states visited until then."""
    monkeypatch.setattr("iopermit.search.exploration.design_search._PROGRESS_SECONDS", -math.inf)

    def interrupt(progress: Progress) -> None:
        if progress.depth > 4:
            raise KeyboardInterrupt

    verdict = check(find(HOLDS), SMALL, control=Control(progress=interrupt))
    assert verdict.verdict == "undetermined"
    assert "interrupted" in verdict.reason
    assert verdict.search.states > 10
    assert verdict.search.depth >= 4


def test_objects_that_the_model_has_no_room_for_leave_the_verdict_open() -> None:
    """A design that keeps more objects than the model has slots for is neither safe nor wrong."""
    design = load_design(f"{SUPPORT / 'hoarding_design.py'}:Hoarding")
    verdict = check(design, Scenario(1, 1, 1, frozenset({Event.IOPERM})))
    assert verdict.verdict == "undetermined"
    assert verdict.reason == (
        "hoarding_design.py:37 needs a Block more than the 2 that the model has room for"
    )
    assert not verdict.search.exhausted


@pytest.fixture
def forgetful(tmp_path: Path) -> type[Design]:
    """Give linux-2.6.9 without noting in ioperm() whose map the TSS has.

    Two tasks that got a map and denied all of it again keep one real long of it, which is the
    whole map if there is one long in the search.
    """
    mutant = next(
        m
        for m in mutations(find("linux-2.6.9"))
        if m.key == ("ioperm", "cpu.tss.owner = task", "removed")
    )
    mutant.write(tmp_path / "mutant.py")
    return load_design(f"{tmp_path / 'mutant.py'}:Mutant")


def test_what_full_size_does_not_confirm_is_not_shown(forgetful: type[Design]) -> None:
    """Where one long stands for more than the design means by one, more longs are asked for."""
    events = ALL_EVENTS - {Event.PREEMPT, Event.ALLOCATION_FAILS}
    one = check(forgetful, Scenario(2, 2, 1, events), every=True)
    two = check(forgetful, Scenario(2, 2, 2, events), every=True)
    assert (one.longs_needed, two.longs_needed, two.reason) == (2, 0, "")
    expected = (
        "what was found with 2 CPUs, 2 tasks, 1 long is no violation at full size; "
        "search with --longs 2 (2 CPUs, 2 tasks, 1 long)"
    )
    assert one.reason == expected
    assert all(v.search.confirmed_full_size for v in (one, *one.also, two, *two.also))


@pytest.fixture
def unconfirmed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let full size confirm nothing that is found with one long."""

    def only_with_more(problem: Problem, found: DesignCounterexample) -> Confirmation:
        if problem.scenario.longs == 1:
            raise ReplayError("it shows no violation")
        return confirm(problem, found)

    monkeypatch.setattr("iopermit.search.counterexample.confirmation.confirm", only_with_more)


@pytest.mark.usefixtures("unconfirmed")
def test_the_search_goes_on_with_more_longs() -> None:
    """linux-5.4 names a number of real longs: what one long shows is looked for with two."""
    verdict = check(find("linux-5.4"))
    assert (verdict.verdict, verdict.scenario.longs) == ("violated", 2)
    alone = check(find("linux-5.4"), Scenario(1, 2, 1, ALL_EVENTS))
    assert (alone.verdict, alone.longs_needed) == ("undetermined", 2)
    assert alone.reason.endswith("is no violation at full size; search with --longs 2")
    assert not alone.search.exhausted


@pytest.mark.usefixtures("unconfirmed")
def test_a_comparison_goes_on_with_more_longs() -> None:
    """A scenario with too few longs to tell does not end a cell, unless it is the largest."""
    rows = [compare.Subject(find("linux-5.4"))]
    for largest, outcomes in (((1, 2, 2), ["violated"]), ((1, 2, 1), ["undetermined"])):
        matrix = compare.empty_matrix(rows, ["all"], largest)
        compare.compare(rows, matrix, [(1, 2, 1), largest])
        rungs = matrix["linux-5.4"]["all"].rungs
        assert [(rung.outcome, rung.bounds) for rung in rungs] == [(o, largest) for o in outcomes]


@pytest.mark.usefixtures("unconfirmed")
def test_elsewhere_a_violation_must_be_confirmed() -> None:
    """Where the search is exact, full size not confirming a violation is an error of iopermit."""
    with pytest.raises(ReplayError):
        check(find("linux-5.5"), Scenario(1, 2, 1, ALL_EVENTS))


def test_what_could_not_happen_is_reported_as_uncovered() -> None:
    """With one task slot nothing forks; without a #GP handler or VMs all else is covered."""
    verdict = check(find(HOLDS), Scenario(1, 1, 1, PLAIN_EVENTS))
    assert verdict.verdict == "holds"
    assert "fork" in verdict.uncovered.events
    assert "ioperm" not in verdict.uncovered.events
    assert set(verdict.uncovered.not_asked) == {e.name for e in all_events() - PLAIN_EVENTS}
    assert verdict.uncovered.statements
    assert {s.function for s in verdict.uncovered.statements}.isdisjoint({"bring_up"})


def test_statements_that_a_larger_scenario_reaches_are_no_longer_uncovered() -> None:
    """A second task lets a design execute statements that one task alone never does."""
    alone = check(find(HOLDS), Scenario(1, 1, 1, SMALL.events)).uncovered.statements
    together = check(find(HOLDS), SMALL).uncovered.statements
    assert set(together) < set(alone)


@pytest.mark.parametrize("reductions", [Reductions(), NONE], ids=["on", "off"])
def test_every_violation_is_confirmed_at_full_size(reductions: Reductions) -> None:
    """Each different violation of linux-5.4 comes with a schedule that full size confirms."""
    events = SMALL.events | {Event.FORK_FAILS, Event.IO_THREAD}
    verdict = check(find("linux-5.4"), Scenario(1, 2, 1, events), every=True, reductions=reductions)
    every = [verdict, *verdict.also]
    assert {v.violation.kind for v in every if v.violation} == {"crash", "leak", "loss"}
    assert all(v.search.confirmed_full_size for v in every)
    assert all(v.trace for v in every)


def test_a_limit_leaves_further_violations_open() -> None:
    """With --all, a limit that ends a search after its first violation is told with it."""
    design = find("linux-v2-06")
    complete = check(design, LEAKY, every=True)
    limits = Limits(max_states=complete.search.states - 1)
    cut = check(design, LEAKY, every=True, control=Control(limits))
    assert (complete.verdict, cut.verdict) == ("violated", "violated")
    assert not complete.reason
    assert "limit of" in cut.reason
    assert cut.reason.endswith(" states was reached (1 CPU, 2 tasks, 2 longs)")
    assert not any(also.reason for also in cut.also)
    assert not check(design, LEAKY, control=Control(limits)).reason
