"""Tests of what is known in a cell of a comparison."""

import pytest

from iopermit.engine.comparison import Cell, Rung, event_sets
from iopermit.engine.ladder import Bounds
from iopermit.engine.verdict import VerdictValue
from iopermit.system.events import Event

SMALL, MEDIUM, LARGE = (1, 1, 1), (1, 2, 1), (1, 2, 2)


def rung(bounds: Bounds, outcome: VerdictValue) -> Rung:
    """Return a verdict in one scenario."""
    return Rung(bounds, outcome, 10)


@pytest.mark.parametrize(
    ("rungs", "outcome", "finished"),
    [
        ((), "undetermined", False),
        ((rung(SMALL, "holds"),), "undetermined", False),
        ((rung(SMALL, "holds"), rung(MEDIUM, "undetermined")), "undetermined", True),
        ((rung(SMALL, "holds"), rung(MEDIUM, "violated")), "violated", True),
        ((rung(SMALL, "undetermined"),), "undetermined", True),
        ((rung(SMALL, "holds"), rung(LARGE, "holds")), "holds", True),
    ],
)
def test_only_an_exhausted_largest_scenario_holds(
    rungs: tuple[Rung, ...], outcome: str, finished: bool
) -> None:
    """A cell that stopped below the largest scenario never holds."""
    cell = Cell(rungs, LARGE)
    assert cell.outcome == outcome
    assert cell.finished is finished


def test_event_sets_come_with_and_without_preemption() -> None:
    """Each of plain and all has a twin that lacks exactly preemption in the kernel."""
    sets = event_sets()
    for name in ("plain", "all"):
        assert sets[name] - sets[f"{name}-without-preempt"] == {Event.PREEMPT}


def test_event_sets_can_be_those_of_another_day() -> None:
    """What plain and all mean in recorded figures is given, and their twins follow."""
    plain, everything = frozenset({Event.EXIT, Event.PREEMPT}), frozenset({Event.FORK})
    assert event_sets(plain, everything) == {
        "plain": plain,
        "plain-without-preempt": {Event.EXIT},
        "all": everything,
        "all-without-preempt": everything,
    }
