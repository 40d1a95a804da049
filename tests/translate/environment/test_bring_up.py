"""Tests of bringing up the CPUs: what bring_up() does is the initial state of both readings."""

from pathlib import Path
from typing import Final

import pytest

from iopermit.designs import designs
from iopermit.search.check import check_once
from iopermit.search.problem import Problem
from iopermit.system.concretion import readable
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System
from iopermit.translate.frontend.load import load_design
from iopermit.translate.frontend.source import DesignError
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.translation import translate

FILE: Final = Path(__file__).parents[2] / "support" / "designs" / "bring_up.py"
SCENARIO: Final = Scenario(2, 2, 1, frozenset({Event.IOPERM}))


def test_pointers_objects_and_numbers_are_there_from_the_start() -> None:
    """CPUs come up one after the other, on state that they share."""
    model = translate(load_design(f"{FILE}:Booting"), SCENARIO)
    values = initial_values(SCENARIO, model)
    assert values["cpu", "itself"] == [1, 2]
    assert values["cpu", "before"] == [0, 1]
    assert values["cpu", "record"] == [1, 2]
    assert values["Record", "in_use"] == [1, 1, 0, 0]
    assert values["Record", "number"] == [1, 2, 0, 0]
    assert values["globals", "last"] == [2]
    assert values["tss", "bitmap"] == [1, 1]


def test_what_bring_up_stores_decides_later() -> None:
    """A leak that needs a pointer from bring-up is found and confirmed at full size."""
    verdict = check_once(Problem(load_design(f"{FILE}:Booting"), SCENARIO))
    assert verdict.violation is not None
    assert verdict.violation.kind == "leak"
    assert verdict.search.confirmed_full_size


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("CrashesAtBoot", "bring_up() crashes: null pointer dereference"),
        ("NeverUp", "bring_up() does not end within 100,000 steps"),
    ],
)
def test_a_cpu_that_does_not_come_up_is_refused(name: str, message: str) -> None:
    """A fault or an endless loop in bring_up() is an error in the design, with its line."""
    with pytest.raises(DesignError) as caught:
        translate(load_design(f"{FILE}:{name}"), SCENARIO)
    assert message in str(caught.value)
    assert f"{FILE}:" in str(caught.value)


@pytest.mark.parametrize("name", sorted(designs()))
def test_both_readings_start_alike(name: str) -> None:
    """In every design the base of a TSS is the same after bring-up in both readings."""
    scenario = Scenario(2, 2, 2)
    model = translate(designs()[name], scenario)
    system = System(designs()[name], scenario, readable(designs()[name].layout, 2))
    bases = [p.tss.io_map_base.value for p in system.processors]
    assert initial_values(scenario, model)["tss", "io_map_base"] == bases
