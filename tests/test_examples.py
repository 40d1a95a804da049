"""Checks what docs/findings.md says of the smallest change to patch V2 06/16."""

from pathlib import Path

import pytest

from iopermit.search.check import check
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design

FILE = Path(__file__).resolve().parent.parent / "examples" / "smallest_change.py"
SCENARIO = Scenario(1, 2, 2, PLAIN_EVENTS)


def test_the_smallest_change_holds() -> None:
    """Copying up to the dirty mark and storing it is enough under plain events."""
    verdict = check(load_design(f"{FILE}:SmallestChange"), SCENARIO)
    assert (verdict.verdict, verdict.search.states) == ("holds", 34_854)


@pytest.mark.parametrize("name", ["OnlyStored", "OnlyCopied"])
def test_half_of_it_leaks(name: str) -> None:
    """Either half of the change leaves the leak that the review found."""
    verdict = check(load_design(f"{FILE}:{name}"), SCENARIO)
    assert verdict.violation is not None
    assert (verdict.violation.kind, verdict.violation.ports) == ("leak", ((192, 65535),))
