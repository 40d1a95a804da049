"""Tests how the steps of a model are numbered."""

import pytest

from iopermit.designs import designs, find
from iopermit.system.events import all_events
from iopermit.system.scenario import Scenario
from iopermit.translate.model.nodes import FIRST_STEP
from iopermit.translate.translation import translate

SCENARIO = Scenario(1, 1, 1, all_events())


@pytest.mark.parametrize("name", designs())
def test_steps_are_numbered_by_what_may_come_between_them(name: str) -> None:
    """First come the steps of a CPU, then those at which a task can be preempted, then the rest."""
    model = translate(find(name), SCENARIO)
    assert list(model.steps) == list(range(FIRST_STEP, FIRST_STEP + len(model.steps)))
    kinds = [
        (step.context == "task", step.context == "task" and step.preemption_off)
        for step in model.steps.values()
    ]
    assert kinds == sorted(kinds)
    preemptible = [pc for pc, step in model.steps.items() if not step.preemption_off]
    assert model.preemptible_end == max(preemptible) + 1


@pytest.mark.parametrize("name", designs())
def test_a_program_counter_has_no_bit_too_many(name: str) -> None:
    """The pc of a task and of a CPU have as many bits as their highest step needs."""
    model = translate(find(name), SCENARIO)
    for record in ("task", "cpu"):
        highest = max(
            (pc for pc, step in model.steps.items() if record in ("task", step.context)),
            default=FIRST_STEP,
        )
        assert model.field(record, "pc").width == highest.bit_length()
