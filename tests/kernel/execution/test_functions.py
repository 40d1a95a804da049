"""Which events trees can execute, and that there is a way to do so."""

import pytest

from iopermit.kernel.execution import completion, entry
from iopermit.kernel.execution.functions import FUNCTIONS, WITHOUT_FUNCTION, can_execute
from iopermit.system.events import EVENTS, Event, hooks
from iopermit.system.events.operations import Effect, calls


def test_trees_play_the_part_of_every_hook_but_four() -> None:
    """CPUs are brought up before a search begins; no #GP handler or register-set dump is executed.

    To free the structure of a task takes no function of the subsystem.
    """
    left = {"bring_up", "general_protection", "read_map"} | WITHOUT_FUNCTION
    assert FUNCTIONS.keys() == hooks.HOOKS.keys() - left
    assert {"fork_failed_early"} == WITHOUT_FUNCTION


@pytest.mark.parametrize("event", EVENTS.values(), ids=str)
def test_what_can_be_executed_has_arguments_and_effects(event: Event) -> None:
    """For each call of an event its arguments are known, and each of its effects is."""
    never = {Event.FAULT, Event.READ_MAP, Event.CPU_OFFLINE}
    assert can_execute(event) == (event not in never)
    if event.operation is not None and can_execute(event):
        called = {call.hook.name for call in calls(event.operation.body)}
        assert called - WITHOUT_FUNCTION <= entry._ARGUMENTS.keys()
        assert event.effects <= completion._EFFECTS.keys()


def test_effects_are_known_but_those_of_what_no_tree_does() -> None:
    """No granted port is refused, which takes a #GP handler, nobody is stopped or goes down."""
    never = {
        *Event.FAULT.effects,
        Effect.STOP_TARGET,
        Effect.RELEASE_TARGET,
        Effect.LOAD_TASK_REGISTER,
        Effect.MOVE_TASKS,
    }
    assert completion._EFFECTS.keys() == set(Effect) - never
