"""The reference mode, and the usual search compared with it."""

from __future__ import annotations

import itertools
import os
import signal
from dataclasses import dataclass, replace

import pytest
from tests.support.kernel.checking import loaded
from tests.support.kernel.faults import FAULTS
from tests.support.kernel.hidden_faults import HIDDEN_FAULTS
from tests.support.kernel.reference import (
    ObservedReference,
    ObservedSearch,
    small,
)
from tests.support.kernel.trees import VERSIONS

from iopermit.engine.control import Control
from iopermit.engine.ending import Doubt
from iopermit.engine.limits import Limits
from iopermit.kernel.check import check_tree, replay_tree
from iopermit.kernel.execution import executor
from iopermit.kernel.execution.executor import Executor
from iopermit.kernel.search.reference import DepthLimit
from iopermit.report.json import verdict_json
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.execution import Action, action
from iopermit.system.scenario import Scenario

PREEMPTED = Scenario(1, 2, 2, frozenset({Event.IOPERM, Event.PREEMPT}))
ONE_CALL = Scenario(1, 1, 1, frozenset({Event.IOPERM}))
FORKS = frozenset(
    {Event.IOPERM, Event.FORK, Event.FORK_FAILS, Event.EXIT, Event.ALLOCATION_FAILS, Event.PREEMPT}
)


@dataclass(frozen=True)
class Bound:
    """How far both searches go."""

    scenario: Scenario
    depth: int
    first: tuple[Action, ...] | None = None
    """What the first task does before, alone, so that there is a slot for a child."""


CALLS = Bound(Scenario(1, 2, 2, ALL_EVENTS - {Event.PREEMPT}), 4)
PREEMPTED_CALLS = Bound(PREEMPTED, 3)
PREEMPTED_ANYWHERE = Bound(Scenario(1, 2, 1, ALL_EVENTS), 3)
CHILDREN = Bound(Scenario(1, 2, 2, ALL_EVENTS - {Event.PREEMPT}), 5, first=())
PREEMPTED_FORKS = Bound(Scenario(1, 2, 2, FORKS), 3, first=())
MIGRATION = Bound(
    Scenario(2, 1, 1, frozenset({Event.IOPERM, Event.EXIT, Event.MIGRATE, Event.PREEMPT})), 3
)
TWO_CPUS = Bound(Scenario(2, 2, 1, frozenset({Event.IOPERM, Event.EXIT})), 2)
LONGER = Bound(Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.PREEMPT})), 4)
SHARED = Bound(
    Scenario(1, 2, 2, frozenset({Event.IOPERM, Event.FORK, Event.PREEMPT})),
    3,
    first=(action(0, "ioperm", first=0, end=1, turn_on=1), action(0, "fork", child=1)),
)
EXITING = Bound(Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.EXIT})), 4)
PREEMPTED_TWICE = Bound(PREEMPTED, 4)
ONE_CPU = (CALLS, PREEMPTED_CALLS, PREEMPTED_ANYWHERE, CHILDREN, PREEMPTED_FORKS)

SAMPLE = [
    ("6.1", "repair", Bound(PREEMPTED, 2)),
    ("6.12", "repair", replace(CALLS, depth=3)),
    ("6.1", "", replace(PREEMPTED_ANYWHERE, depth=2)),
    ("6.12", "repair", replace(MIGRATION, depth=2)),
    ("6.12", "repair", replace(PREEMPTED_FORKS, depth=2)),
    ("6.12", "global-map-pointer", replace(CALLS, depth=3)),
    ("6.1", "own-extent", Bound(PREEMPTED, 2)),
]
"""Version, edit and bound: what `make test` compares."""
PLANTED = dict(zip([*FAULTS, *HIDDEN_FAULTS], VERSIONS * 99, strict=False))
del PLANTED["time-stamp"]
"""Each in one of the trees. What a time stamp decides is decided otherwise each time."""
EVERYTHING = [
    *itertools.product(VERSIONS, ("", "repair"), (*ONE_CPU, MIGRATION, TWO_CPUS)),
    *[(version, edit, bound) for edit, version in PLANTED.items() for bound in ONE_CPU],
    ("6.12", "repair", LONGER),
    ("6.12", "repair", SHARED),
    ("6.12", "written-back", SHARED),
    ("6.12", "read-twice", PREEMPTED_TWICE),
    ("6.12", "counter-read-add-store", LONGER),
    ("6.12", "flag-left-by-exit", EXITING),
    ("6.12", "exit-invalidates-every-cpu", replace(TWO_CPUS, depth=3)),
]
"""What `make reference` compares."""
COMPARED = EVERYTHING if os.environ.get("IOPERMIT_REFERENCE") else SAMPLE


@pytest.mark.parametrize(("version", "edit", "bound"), COMPARED)
def test_both_searches_show_user_code_the_same(version: str, edit: str, bound: Bound) -> None:
    """After so many events at most user code can see the same, and what is wrong is the same."""
    tree = small(version, edit)
    usual = ObservedSearch(tree.image, bound.scenario, bound.depth, bound.first)
    usual.run()
    reference = ObservedReference(tree.image, bound.scenario, bound.depth, bound.first)
    reference.run()
    assert isinstance(reference.result.ending, DepthLimit)
    if not usual.is_complete:
        # It refuses to judge what takes names to pieces.
        assert isinstance(usual.result.ending, Doubt)
        return
    assert usual.observer.seen <= reference.observer.seen
    assert ("crash" in usual.observer.kinds) == ("crash" in reference.observer.kinds)
    if "crash" not in usual.observer.kinds:
        # A crash comes before what others could still do: docs/kernel-trees.md.
        assert usual.observer.seen == reference.observer.seen
        assert usual.observer.kinds == reference.observer.kinds


@pytest.mark.parametrize(
    ("edit", "bound"), [("written-back", SHARED), ("read-twice", PREEMPTED_TWICE)]
)
def test_accesses_to_maps_that_leave_nothing_behind_are_scheduling_points(
    edit: str, bound: Bound
) -> None:
    """What is written and written back, and what is only read, shows what comes in between."""
    search = ObservedSearch(small("6.12", edit).image, bound.scenario, bound.depth, bound.first)
    assert search.run().ending is None
    assert search.observer.kinds == {"leak"}


def test_a_search_without_scheduling_points_shows_user_code_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The comparison can fail: without points nobody sees A's ports while A gives them up."""
    tree = small("6.1", "")
    usual = ObservedSearch(tree.image, PREEMPTED, 3)
    assert usual.run().ending is None
    assert usual.observer.kinds == {"leak"}
    without = ObservedSearch(tree.image, PREEMPTED, 3)
    monkeypatch.setattr(Executor, "preemptible", lambda _: False)
    monkeypatch.setattr(Executor, "_may_sleep", lambda *_: False)
    # With preemption off an allocation would be a crash.
    monkeypatch.setattr(executor, "why_sleeping", lambda *_, **__: "")
    without.run()
    assert without.observer.seen < usual.observer.seen
    assert not without.observer.kinds


def test_a_violation_is_executed_again_on_a_fresh_machine() -> None:
    """A machine that stops before every access shows the same, and so does a replay."""
    tree = loaded("6.1", "flag-only")
    scenario = Scenario(1, 1, 1, frozenset({Event.IOPL, Event.PREEMPT}))
    found = check_tree(tree, [scenario], reference=2)
    assert found.violation is not None
    assert (found.violation.kind, found.ending) == ("leak", None)
    assert found.search.confirmed_full_size
    saved = verdict_json(found)
    assert len(saved["kernel"]["schedule"]) > 30
    assert saved["kernel"]["points"]["every_access"] is True
    assert any("the reference mode: at most 2 events" in one for one in saved["kernel"]["bounds"])
    again = replay_tree(tree, saved, scenario)
    assert (again.violation, again.trace) == (found.violation, found.trace)


def test_a_search_that_the_depth_ends_gives_no_verdict() -> None:
    """With events left nothing holds: it is undetermined, and the reason is the depth."""
    found = check_tree(loaded("6.1", "repair"), [ONE_CALL], reference=1)
    assert (found.verdict, found.search.exhausted) == ("undetermined", False)
    assert found.reason == "what more than 1 event lead to was not searched"


def test_a_search_to_the_end_holds() -> None:
    """After a task exited on a CPU nothing can happen any more: every state was visited."""
    scenario = Scenario(1, 1, 1, frozenset({Event.EXIT}))
    found = check_tree(loaded("6.1", "repair"), [scenario], reference=3)
    assert (found.verdict, found.search.exhausted) == ("holds", True)


def test_limits_and_ctrl_c_end_the_reference_mode() -> None:
    """A limit and Ctrl-C leave it undetermined, with their own reasons."""
    tree, scenario = loaded("6.1", "repair"), PREEMPTED
    limited = check_tree(tree, [scenario], control=Control(Limits(max_states=50)), reference=9)
    assert (limited.verdict, "50 states" in limited.reason) == ("undetermined", True)
    control = Control(progress=lambda _: signal.raise_signal(signal.SIGINT))
    ended = check_tree(tree, [scenario], control=control, reference=9)
    assert (ended.verdict, ended.reason) == ("undetermined", "interrupted")


def test_names_and_numbers_stay_what_they_are() -> None:
    """A task that changes its map again and again gets another number each time: no end comes."""
    tree = small("6.1", "repair")
    states = []
    for depth in (2, 4, 6):
        search = ObservedReference(tree.image, ONE_CALL, depth)
        states.append(search.run().states)
    usual = ObservedSearch(tree.image, ONE_CALL, 6)
    assert states[0] < states[1] < states[2]
    assert usual.run().states < states[1]
