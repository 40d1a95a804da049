"""Tests that Ctrl-C ends a search, a check and a comparison."""

from __future__ import annotations

import math
import signal
from typing import TYPE_CHECKING

import pytest

from iopermit.designs import find
from iopermit.engine.control import Control
from iopermit.search.check import check
from iopermit.search.compare import Subject, compare, empty_matrix
from iopermit.search.exploration.design_search import DesignSearch
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.engine.progress import Progress
    from iopermit.search.exploration.design_search import DesignSearchResult


@pytest.mark.parametrize("name", ["linux-2.6.8", "linux-2.6.10-L1"])
def test_a_search_to_be_repeated_is_interrupted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between finding that an assumption is wrong and the next search is not lost."""
    in_vain = DesignSearch._is_in_vain
    found: list[int] = []

    def interrupted(search: DesignSearch) -> bool:
        if not in_vain(search):
            return False
        found.append(search.progress().states)
        signal.raise_signal(signal.SIGINT)
        return True

    monkeypatch.setattr("iopermit.search.exploration.design_search._WORTH_FINISHING", 0)
    monkeypatch.setattr(DesignSearch, "_is_in_vain", interrupted)
    verdict = check(find(name), Scenario(1, 2, 1, PLAIN_EVENTS))
    assert (verdict.verdict, verdict.reason) == ("undetermined", "interrupted")
    assert found == [verdict.search.states]


def test_no_larger_scenario_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C when a scenario is exhausted ends the check, which tells what was exhausted."""
    finish = DesignSearch._finish
    ended: list[DesignSearch] = []

    def interrupted(search: DesignSearch, *, stop: bool) -> DesignSearchResult:
        if not ended:
            signal.raise_signal(signal.SIGINT)
        ended.append(search)
        return finish(search, stop=stop)

    monkeypatch.setattr(DesignSearch, "_finish", interrupted)
    verdict = check(find("linux-5.4"))
    assert verdict.verdict == "undetermined"
    expected = "interrupted; exhausted without a violation: 1 CPU, 1 task, 1 long"
    assert (verdict.reason, len(ended)) == (expected, 2)


def test_no_other_cell_is_searched() -> None:
    """Ctrl-C ends a comparison; the cells searched until then are kept."""
    rows = [Subject(find(name)) for name in ("linux-5.4", "linux-060aa16f")]
    matrix = empty_matrix(rows, ["plain", "all"], (1, 1, 1))
    compare(rows, matrix, [(1, 1, 1)], filled=lambda _: signal.raise_signal(signal.SIGINT))
    searched = [len(cell.rungs) for cells in matrix.values() for cell in cells.values()]
    assert searched == [1, 0, 0, 0]


def test_an_interrupted_cell_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cell whose search Ctrl-C ends says so, and is not handed out to be saved."""
    monkeypatch.setattr("iopermit.search.exploration.design_search._PROGRESS_SECONDS", -math.inf)
    rows = [Subject(find("linux-5.4"))]
    matrix = empty_matrix(rows, ["plain"], (1, 2, 1))
    saved: list[object] = []
    interrupting = Control(progress=_interrupt_once())
    ladder = [(1, 1, 1), (1, 2, 1)]
    compare(rows, matrix, ladder, control=interrupting, filled=saved.append)
    (rung,) = matrix["linux-5.4"]["plain"].rungs
    assert (rung.outcome, rung.message, saved) == ("undetermined", "interrupted", [])


def _interrupt_once() -> Callable[[Progress], None]:
    called: list[Progress] = []

    def interrupt(progress: Progress) -> None:
        if not called:
            signal.raise_signal(signal.SIGINT)
        called.append(progress)

    return interrupt
