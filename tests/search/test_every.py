"""Tests that every violation of every design is found, confirmed, and can be replayed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from iopermit.designs import designs, find
from iopermit.engine.control import Control
from iopermit.engine.limits import Limits
from iopermit.report.json import to_text, verdict_json
from iopermit.search.check import check, check_once
from iopermit.search.compare import Subject, subjects
from iopermit.search.replay import replay
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.options import with_options
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict
    from iopermit.search.problem import Problem

FAMILY = Scenario(1, 2, 1, ALL_EVENTS)
ENDLESS = {"linux-5.5 --option no_refcnt_reset"}
"""Whose lost references can be counted for longer than the search goes on."""


def messages(verdict: Verdict) -> list[str]:
    """Return what the violations are."""
    return [v.violation.message for v in (verdict, *verdict.also) if v.violation is not None]


@pytest.mark.parametrize("row", list(subjects(designs().values())), ids=lambda row: row.name)
def test_every_violation_is_confirmed_and_replayed(row: Subject) -> None:
    """With --all, each violation is confirmed at full size, and a saved one can be replayed."""
    design = with_options(row.design, dict.fromkeys(row.options, True))
    control = Control(Limits(max_states=1 << 20))
    verdict = check(design, FAMILY, every=True, control=control, options=row.options)
    assert bool(verdict.reason) is (row.name in ENDLESS)
    if verdict.verdict == "holds":
        return
    assert all(v.search.confirmed_full_size for v in (verdict, *verdict.also))
    replayed = replay(json.loads(to_text(verdict_json(verdict))))
    assert messages(replayed) == messages(verdict)
    assert replayed.options == row.options


def test_a_limit_beyond_garbage_ends_no_other_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a search beyond garbage that finds nothing in time, larger scenarios follow."""
    searched: list[tuple[int, bool]] = []

    def noted(problem: Problem) -> Verdict:
        searched.append((problem.scenario.longs, problem.scenario.garbage))
        return check_once(problem)

    monkeypatch.setattr("iopermit.search.check.MOST_BEYOND_GARBAGE", 10)
    monkeypatch.setattr("iopermit.search.check.check_once", noted)
    assert "limit of 10 states" in check(find("linux-2.6.9"), every=True).reason
    plain, under_all_events = searched[:2], searched[2:]
    assert plain == [(1, True), (2, True)]
    assert under_all_events == [(1, True), (1, False), (2, True), (2, False)]


def test_what_comes_of_garbage_is_found() -> None:
    """A fork that fails late leaks the map in linux-5.5, and later the parent loses its ports."""
    verdict = check(find("linux-5.5"), FAMILY, every=True)
    kinds = {v.violation.kind for v in (verdict, *verdict.also) if v.violation is not None}
    assert kinds >= {"garbage", "loss"}
