"""Tests of rows of refusals that are continued at full size."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from iopermit.engine.errors import UnrepeatedError
from iopermit.search.counterexample.livelock import continued
from iopermit.system.concretion import exact
from iopermit.system.events import Event
from iopermit.system.events.rules import enabled
from iopermit.system.execution import Action, action
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System
from iopermit.translate.frontend.load import load_design
from iopermit.translate.stepping.generators import steps

DESIGNS: Final = Path(__file__).parents[2] / "support" / "designs" / "livelocks.py"
SCENARIO: Final = Scenario(1, 1, 1)
GRANT: Final = action(0, "ioperm", first=0, end=1, turn_on=1)
FAULT: Final = action(0, "fault", granted=1)


def schedule_of(name: str, refusals: int) -> list[tuple[Action, int]]:
    """Return a schedule in which everything is granted and so many accesses are refused.

    Of several outcomes an allocation has the last one: it fails.
    """
    design = load_design(f"{DESIGNS}:{name}")
    system = System(design, SCENARIO, exact(design.layout, 1), stepper=steps)
    taken: list[tuple[Action, int]] = []
    for event in [GRANT, *[FAULT] * refusals]:
        following = [event]
        while following:
            system.apply(following[-1])
            taken.append((following[-1], 0))
            following = [a for a in enabled(system) if a.is_step]
    return taken


@pytest.mark.parametrize(
    ("name", "refusals"), [("NeverRepairs", 1), ("Toggles", 2), ("TakesNumbers", 1)]
)
def test_a_state_that_comes_again_is_a_livelock(name: str, refusals: int) -> None:
    """The schedule stays as it is; the violation says after how many refusals it repeats."""
    design, schedule = load_design(f"{DESIGNS}:{name}"), schedule_of(name, 3)
    trace, violation = continued(design, SCENARIO, schedule, exact(design.layout, 1))
    assert len(trace) == len(schedule)
    assert violation.repeats_every == refusals
    assert violation.ports == ((0, 65535),)


def test_every_outcome_of_an_allocation_is_tried() -> None:
    """Where the handler repairs with memory, and without it does not, the row goes on for ever."""
    design, schedule = load_design(f"{DESIGNS}:WantsMemory"), schedule_of("WantsMemory", 3)
    _, violation = continued(design, SCENARIO, schedule, exact(design.layout, 1))
    assert violation.repeats_every == 1
    calm = Scenario(1, 1, 1, SCENARIO.events - {Event.ALLOCATION_FAILS})
    with pytest.raises(UnrepeatedError, match="can be used"):
        continued(design, calm, schedule, exact(design.layout, 1))


def test_a_row_that_ends_is_none() -> None:
    """When the handler repairs at last, the reason says that the ports can be used."""
    design, schedule = load_design(f"{DESIGNS}:Patient"), schedule_of("Patient", 3)
    with pytest.raises(UnrepeatedError, match="then every port that was granted can be used"):
        continued(design, SCENARIO, schedule, exact(design.layout, 1))


def test_a_no_at_the_end_makes_the_schedule_longer() -> None:
    """When the handler gives up at last, the schedule goes on to there."""
    design, schedule = load_design(f"{DESIGNS}:GivesUp"), schedule_of("GivesUp", 3)
    trace, violation = continued(design, SCENARIO, schedule, exact(design.layout, 1))
    assert (violation.kind, violation.livelock) == ("loss", False)
    assert sum(step.event == "fault" for step in trace) == 9
