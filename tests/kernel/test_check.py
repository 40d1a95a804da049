"""Debian's trees, as they stand and with edits: what the check of their code finds."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from tests.support.kernel.checking import EVERYTHING, KINDS, SMALL, loaded, verdict
from tests.support.kernel.faults import FAULTS, HARMLESS, IOPORT, REPAIR, Edit, unified_diff
from tests.support.kernel.trees import VERSIONS, build_cache, require_tree

from iopermit.engine.control import Control
from iopermit.engine.errors import ReplayError
from iopermit.engine.facts import facts_of
from iopermit.engine.limits import Limits
from iopermit.engine.trace import Replay
from iopermit.kernel.build.builder import build
from iopermit.kernel.check import check_tree, replay_tree
from iopermit.kernel.loading import load_built
from iopermit.kernel.search.replay import ScheduleReplayer
from iopermit.kernel.state.xen import UnknownMap
from iopermit.report.json import verdict_json
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from pathlib import Path

FAULTS_OF = dict(zip(FAULTS, VERSIONS * len(FAULTS), strict=False))
"""Each fault is planted in one of the trees: a build takes its time."""


@pytest.mark.parametrize("version", VERSIONS)
def test_a_task_preempted_while_it_gives_up_its_ports_leaks_them(version: str) -> None:
    """Both trees leak under every event: the flag is cleared before preemption is disabled."""
    found = verdict(version, "", EVERYTHING)
    assert found.violation is not None
    assert found.violation.kind == "leak"
    assert found.violation.task == "B"
    assert found.violation.site is not None
    assert found.violation.site.function == "task_update_io_bitmap"
    assert "clear_tsk_thread_flag" in found.violation.site.text
    assert found.search.confirmed_full_size


@pytest.mark.parametrize("version", VERSIONS)
def test_without_preemption_in_the_kernel_both_trees_hold(version: str) -> None:
    """Every state of the trees as they stand is visited, under all events but preempt."""
    found = verdict(version, "", Scenario(1, 2, 1, ALL_EVENTS - {Event.PREEMPT}))
    assert (found.verdict, found.search.exhausted) == ("holds", True)


def test_the_repaired_tree_holds_under_every_event() -> None:
    """With the flag cleared after preempt_disable() every state is visited and none violates."""
    found = verdict("6.1", "repair", EVERYTHING)
    assert (found.verdict, found.search.exhausted) == ("holds", True)
    assert found.uncovered.events == ()


def test_a_fork_that_fails_early_is_executed_by_nothing() -> None:
    """It is possible where a slot is free, costs one transition, and leads to no other state."""
    few = frozenset({Event.IOPERM, Event.FORK, Event.EXIT})
    without = verdict("6.1", "repair", Scenario(1, 2, 1, few))
    found = verdict("6.1", "repair", Scenario(1, 2, 1, few | {Event.FORK_FAILS_EARLY}))
    assert (found.verdict, found.search.states) == ("holds", without.search.states)
    assert found.search.transitions > without.search.transitions
    assert found.uncovered.events == ()


def test_no_tree_shows_a_map_to_a_reader() -> None:
    """That nobody read a map is said: the event is one that never was possible."""
    found = verdict("6.1", "repair", Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.READ_MAP})))
    assert found.verdict == "holds"
    assert found.uncovered.events == ("read-map",)


def test_the_repaired_tree_holds_on_two_cpus() -> None:
    """Two CPUs interleave at what they share, and tasks migrate: nothing is found."""
    events = frozenset({Event.IOPERM, Event.PREEMPT, Event.MIGRATE, Event.FORK, Event.EXIT})
    found = verdict("6.12", "repair", Scenario(2, 2, 1, events))
    assert (found.verdict, found.search.exhausted) == ("holds", True)


@pytest.mark.parametrize(("name", "version"), FAULTS_OF.items())
def test_each_planted_fault_is_found(name: str, version: str) -> None:
    """The violation is confirmed, and the report names the function that was edited."""
    found = verdict(version, name, SMALL)
    assert found.violation is not None, name
    assert found.violation.kind == KINDS[name]
    assert found.search.confirmed_full_size
    functions = {step.source.function for step in found.trace or () if step.source is not None}
    site = found.violation.site
    assert site is not None
    assert FAULTS[name].function in functions | {site.function}


def test_a_reference_that_is_not_counted_is_used_after_it_was_freed(tmp_path: Path) -> None:
    """Without refcount_inc() in fork the kernel crashes, in a function that the report names."""
    edit = Edit(
        "share a map without counting the child",
        IOPORT,
        r"refcount_inc\(&current->thread\.io_bitmap->refcnt\);",
        "",
        "io_bitmap_share",
    )
    tree, patch = require_tree("6.1"), tmp_path / "uncounted.patch"
    patch.write_text(unified_diff(tree, REPAIR, edit))
    edited = load_built(build(tree, [patch], cache=build_cache()), [patch])
    found = check_tree(edited, [SMALL]).violation
    assert found is not None
    assert found.kind == "crash"
    assert "use after free" in found.message
    assert found.site is not None
    assert found.site.function == "io_bitmap_share"


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_edits_still_hold(name: str) -> None:
    """A renamed variable, reordered stores, a test that never matters: nothing is found."""
    with_failures = Scenario(1, 2, 1, SMALL.events | {Event.ALLOCATION_FAILS})
    assert verdict("6.1", name, with_failures).verdict == "holds"


@pytest.mark.parametrize("reference", [None, 9])
@pytest.mark.parametrize(
    ("limits", "reason"),
    [(Limits(max_states=50), "50 states"), (Limits(max_memory=20_000), "the memory limit")],
)
def test_a_limit_gives_no_verdict(limits: Limits, reason: str, reference: int | None) -> None:
    """A search that is cut short is undetermined, and says which limit was reached."""
    tree = loaded("6.1", "repair")
    found = check_tree(tree, [SMALL], control=Control(limits), reference=reference)
    assert found.verdict == "undetermined"
    assert reason in found.reason


def test_ctrl_c_gives_no_verdict_but_tells_how_far_it_came() -> None:
    """Ctrl-C during a search ends it as undetermined, with the states visited until then."""
    control = Control(progress=lambda _: signal.raise_signal(signal.SIGINT))
    found = check_tree(loaded("6.1", "repair"), [SMALL], control=control)
    assert (found.verdict, found.reason) == ("undetermined", "interrupted")
    assert not found.search.exhausted
    assert found.search.states


def test_a_saved_schedule_is_executed_again() -> None:
    """What the JSON has leads to the same violation on a machine of its own."""
    found = verdict("6.1", "", EVERYTHING)
    saved = verdict_json(found)
    again = replay_tree(loaded("6.1"), saved, EVERYTHING)
    assert again.violation == found.violation
    assert again.trace == found.trace


def test_a_schedule_does_not_show_its_violation_in_repaired_code() -> None:
    """Replaying a leak on the repaired tree is an error that says so."""
    saved = verdict_json(verdict("6.1", "", EVERYTHING))
    with pytest.raises(ReplayError):
        replay_tree(loaded("6.1", "repair"), saved, EVERYTHING)


def test_a_schedule_with_a_step_that_cannot_happen_is_refused() -> None:
    """A call within a call, and a slot that no allocation can get, are no proof of anything."""
    saved = verdict_json(verdict("6.1", "", EVERYTHING))
    schedule = saved["kernel"]["schedule"]
    begun = next(n for n, one in enumerate(schedule) if one["event"] not in {"step", "switch"})
    nested = [*schedule[: begun + 1], schedule[begun], *schedule[begun + 1 :]]
    given = next(n for n, one in enumerate(schedule) if one["choices"])
    elsewhere = list(schedule)
    elsewhere[given] = {**schedule[given], "choices": [77]}
    for changed in (nested, elsewhere):
        damaged = {**saved, "kernel": {**saved["kernel"], "schedule": changed}}
        with pytest.raises(ReplayError, match="the schedule cannot be executed"):
            replay_tree(loaded("6.1"), damaged, EVERYTHING)


def test_a_schedule_that_cannot_be_judged_any_more_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If the tree changed, and names a map to Xen that is not known, the message says so."""
    saved = verdict_json(verdict("6.1", "", EVERYTHING))
    monkeypatch.setattr(ScheduleReplayer, "run", Mock(side_effect=UnknownMap("the map is far")))
    with pytest.raises(ReplayError, match=r"cannot be judged \(the map is far\)"):
        replay_tree(loaded("6.1"), saved, EVERYTHING)


def test_a_disagreement_takes_the_schedule_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a fresh machine does not show the violation, tree, scenario and schedule are known."""
    monkeypatch.setattr(ScheduleReplayer, "run", lambda *_: Replay((), None))
    with pytest.raises(ReplayError) as caught:
        check_tree(loaded("6.1"), [EVERYTHING])
    facts = facts_of(caught.value)
    assert facts["version"].startswith("6.1")
    assert facts["scenario"]["tasks"] == EVERYTHING.tasks
    assert {"cpu", "event", "arguments", "choices"} == set(facts["schedule"][0])
    assert "tss_bitmap" in facts["points"]


def test_single_calls_execute_what_a_scenario_leaves_out() -> None:
    """The lines that share a map count as covered without fork; what nothing executes is listed."""
    scenario = Scenario(1, 1, 1, frozenset({Event.IOPERM}))
    alone = verdict("6.1", "repair", scenario)
    missed = {site.function for site in alone.uncovered.statements}
    assert missed
    assert not missed & {"io_bitmap_share", "io_bitmap_exit", "switch_to_bitmap"}
    assert alone.kernel is not None
    assert 0 < alone.kernel.covered < alone.kernel.lines
