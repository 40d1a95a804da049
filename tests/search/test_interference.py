"""Tests that merging steps hides no violation that needs another task in between."""

from pathlib import Path
from typing import Final

import pytest

from iopermit.search.check import check_once
from iopermit.search.problem import Problem, Settings
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, Reductions
from iopermit.translate.frontend.load import load_design

DESIGNS: Final = Path(__file__).parents[1] / "support" / "designs"
PREEMPTED: Final = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.PREEMPT}))
SHARED: Final = Scenario(
    2,
    2,
    1,
    frozenset({Event.IOPERM, Event.EXEC, Event.FORK, Event.EXIT, Event.MIGRATE}),
    garbage=False,
)
TOGETHER: Final = Scenario(2, 2, 1, frozenset({Event.IOPERM, Event.EXEC}), garbage=False)

TWO_CPUS: Final = Scenario(2, 2, 1, frozenset({Event.IOPERM, Event.MIGRATE}))
CASES: Final = [
    ("lost_marks.py:Marked", PREEMPTED, "loss"),
    ("lost_marks.py:MarkedOnce", PREEMPTED, "loss"),
    ("shared_objects.py:ShortLivedPointer", SHARED, "crash"),
    ("shared_objects.py:EarlyPublication", SHARED, "crash"),
    ("shared_objects.py:ReusedAddress", TOGETHER, "crash"),
    ("consulted.py:OpenCpu", Scenario(1, 1, 1, frozenset({Event.IOPERM})), "leak"),
    ("consulted.py:OneBaseForAll", TWO_CPUS, "leak"),
    ("shared_objects.py:MarkedIdleTask", Scenario(1, 1, 1, frozenset({Event.IOPERM})), "crash"),
]


@pytest.mark.parametrize(("name", "scenario", "kind"), CASES)
@pytest.mark.parametrize("reductions", [Reductions(), NO_REDUCTIONS], ids=["on", "off"])
def test_a_violation_in_between_is_found(
    name: str, scenario: Scenario, kind: str, reductions: Reductions
) -> None:
    """With and without reductions the search finds the violation, and full size confirms it."""
    design = load_design(f"{DESIGNS}/{name}")
    verdict = check_once(Problem(design, scenario, Settings(reductions)))
    assert verdict.violation is not None
    assert verdict.violation.kind == kind
    assert verdict.search.confirmed_full_size
