"""Which events trees can execute, and that there is a way to do so."""

import pytest

from iopermit.kernel.execution import completion, entry
from iopermit.kernel.execution.functions import FUNCTIONS, can_execute
from iopermit.system.events import EVENTS, Event, hooks
from iopermit.system.events.operations import Effect, calls


def test_trees_play_the_part_of_every_hook_but_two() -> None:
    """CPUs are brought up before a search begins, and no handler of #GP is executed."""
    assert FUNCTIONS.keys() == hooks.HOOKS.keys() - {"bring_up", "general_protection"}


@pytest.mark.parametrize("event", EVENTS.values(), ids=str)
def test_what_can_be_executed_has_arguments_and_effects(event: Event) -> None:
    """For each call of an event its arguments are known, and each of its effects is."""
    assert can_execute(event) == (event is not Event.FAULT)
    if event.operation is not None and can_execute(event):
        called = {call.hook.name for call in calls(event.operation.body)}
        assert called <= entry._ARGUMENTS.keys()
        assert event.effects <= completion._EFFECTS.keys()


def test_every_effect_is_known_but_those_of_a_fault() -> None:
    """Only what follows the refusal of a port cannot come up: it takes a handler of #GP."""
    assert completion._EFFECTS.keys() == set(Effect) - Event.FAULT.effects
