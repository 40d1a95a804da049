"""Tests of what a search says that it never did (src/iopermit/search/coverage.py)."""

from pathlib import Path
from typing import Final

import pytest

from iopermit.search.check import check_once
from iopermit.search.problem import Problem
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design

DESIGNS: Final = Path(__file__).parents[1] / "support" / "designs"


@pytest.mark.parametrize(
    ("name", "event", "vacuous"),
    [
        ("privileges.py:Governed", Event.IOPERM, False),
        ("privileges.py:Governed", Event.IOPL, False),
        ("levels.py:Levels", Event.IOPERM, True),
        ("levels.py:Levels", Event.IOPL, False),
        ("levels.py:Levels", Event.IOPL_LEVELS, True),
    ],
)
def test_it_is_known_whether_a_grant_was_possible(name: str, event: Event, vacuous: bool) -> None:
    """Without any grant a design holds, and it is told that it could lose nothing."""
    verdict = check_once(
        Problem(load_design(f"{DESIGNS}/{name}"), Scenario(1, 1, 1, frozenset({event})))
    )
    assert verdict.verdict == "holds"
    assert ("loss" in verdict.uncovered.vacuous) is vacuous
