"""Checks which designs do nothing when a CPU switches from one idle task to another."""

from pathlib import Path

import pytest

from iopermit.designs import designs
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.idle_switch import idle_switch_does_nothing
from iopermit.translate.frontend.load import load_design
from iopermit.translate.translation import translate

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", designs())
def test_designs_leave_the_cpu_alone(name: str) -> None:
    """No design does anything at a switch between tasks that never had ports."""
    model = translate(designs()[name], Scenario(1, 1, 1, ALL_EVENTS))
    assert idle_switch_does_nothing(model)


def test_a_store_at_every_switch_is_seen() -> None:
    """The kernel of the tutorial stores the base at every switch, also between idle tasks."""
    design = load_design(str(ROOT / "examples" / "my_kernel.py"))
    assert not idle_switch_does_nothing(translate(design, Scenario(1, 1, 1, ALL_EVENTS)))
