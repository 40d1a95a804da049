"""Tests of iopermit.scale.check: the same verdict in memory, on disk, and with two threads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.scale.searching import beyond, outcome, problem

from iopermit.scale.owners import settling
from iopermit.scale.owners.disk_owner import DiskOwner
from iopermit.search.check import check_once
from iopermit.system.events import Event
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.scale.states import state_file

SMALL = Scenario(1, 2, 1, PLAIN_EVENTS - {Event.PREEMPT})
TWO = Scenario(2, 2, 1, PLAIN_EVENTS)
CASES = {
    "holds": ("linux-v2-06-reviewed+prev_max", SMALL),
    "holds, with hidden maps": ("linux-6.16+preempt_off", TWO),
    "holds, after a wrong assumption": ("linux-2.6.8", SMALL),
    "leak": ("linux-v2-06", Scenario(1, 2, 2, SMALL.events)),
    "crash": ("linux-060aa16f", Scenario(1, 1, 1, PLAIN_EVENTS)),
    "leak on two CPUs": ("linux-5.5", Scenario(2, 2, 1, PLAIN_EVENTS)),
    "livelock": ("linux-5.5-xen-pv", SMALL),
}


@pytest.mark.parametrize("case", CASES)
def test_the_verdict_is_that_of_the_search_with_threads(case: str, tmp_path: Path) -> None:
    """Verdict, kind, depth, states, transitions and coverage do not depend on who owns states."""
    wanted = outcome(check_once(problem(*CASES[case])))
    for on_disk in (False, True):
        for threads in (1, 2):
            of = problem(*CASES[case], threads=threads)
            found = beyond(of, tmp_path / f"{on_disk}-{threads}", on_disk=on_disk)
            assert outcome(found) == wanted


def test_without_reductions_too(tmp_path: Path) -> None:
    """Every reduction off, the counts are those of the search with threads."""
    of = problem("linux-v2-06-reviewed+prev_max", SMALL, reductions=NO_REDUCTIONS)
    wanted = outcome(check_once(of))
    assert outcome(beyond(of, tmp_path / "disk", on_disk=True)) == wanted


@pytest.mark.parametrize("case", ["leak", "leak on two CPUs", "crash"])
def test_the_schedule_depends_on_nothing_but_the_design(case: str, tmp_path: Path) -> None:
    """In memory, on disk, with one thread and with two the very same schedule is shown."""
    traces = [
        beyond(
            problem(*CASES[case], threads=threads), tmp_path / f"{disk}-{threads}", on_disk=disk
        ).trace
        for disk in (False, True)
        for threads in (1, 2)
    ]
    assert traces[0]
    assert all(trace == traces[0] for trace in traces)


def test_few_candidates_at_a_time_change_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a table is too small for what a level adds, it takes several rounds: the same counts."""
    of = problem(*CASES["holds, with hidden maps"])
    wanted = outcome(check_once(of))
    rounds: list[int] = []
    fill = settling.DuplicateDetection._fill

    def noted(
        self: settling.DuplicateDetection, candidates: state_file.StateFile, first: int
    ) -> int:
        rounds.append(first - candidates.first)
        return fill(self, candidates, first)

    monkeypatch.setattr(settling, "BLOCK", 4)
    monkeypatch.setattr(settling, "_most_candidates", lambda _, __: 8)
    monkeypatch.setattr(settling.DuplicateDetection, "_fill", noted)
    assert outcome(beyond(of, tmp_path / "disk", on_disk=True)) == wanted
    assert any(rounds)


def test_a_search_on_disk_keeps_no_states_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the first and the last level the memory of a search on disk stays as it was."""
    seen: list[int] = []
    advance = DiskOwner.advance

    def noted(self: DiskOwner) -> None:
        advance(self)
        seen.append(self.memory())

    monkeypatch.setattr(DiskOwner, "advance", noted)
    verdict = beyond(problem("linux-6.16+preempt_off", TWO), tmp_path / "disk", on_disk=True)
    assert verdict.search.states > 10_000
    assert seen[-1] - seen[0] < verdict.search.states * 8
