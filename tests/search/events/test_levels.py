"""Tests that the levels of iopl(2) that open no port are searched, in every reading."""

from pathlib import Path
from typing import Final

import pytest
from tests.support.certify.exploring import explore

from iopermit.certify.errors import Refuted
from iopermit.search.check import check_once
from iopermit.search.problem import Problem
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design

DESIGNS: Final = Path(__file__).parents[2] / "support" / "designs" / "levels.py"
HIGHEST: Final = Scenario(1, 1, 1, frozenset({Event.IOPL, Event.DROP_PRIVILEGE}))
EVERY: Final = Scenario(1, 1, 1, HIGHEST.events | {Event.IOPL_LEVELS})


@pytest.mark.parametrize(("name", "level"), [("FromOne", 1), ("FromTwo", 2)])
def test_a_lower_level_that_opens_ports_is_a_leak(name: str, level: int) -> None:
    """It is found with the event for these levels only, and full size confirms it."""
    design = load_design(f"{DESIGNS}:{name}")
    assert check_once(Problem(design, HIGHEST)).verdict == "holds"
    verdict = check_once(Problem(design, EVERY))
    assert verdict.violation is not None
    assert verdict.violation.kind == "leak"
    called = [step.arguments for step in verdict.trace or () if step.is_event]
    assert called == [{"level": level}]
    with pytest.raises(Refuted, match="leak"):
        explore(design, EVERY)


def test_a_lower_level_grants_nothing_and_needs_the_privilege_only_to_be_raised() -> None:
    """A design that keeps the levels apart holds, its statements all executed."""
    design = load_design(f"{DESIGNS}:Levels")
    verdict = check_once(Problem(design, EVERY))
    assert verdict.verdict == "holds"
    assert [site.function for site in verdict.uncovered.statements] == ["switch_to"] * 0
    assert explore(design, EVERY)[0] >= verdict.search.states
