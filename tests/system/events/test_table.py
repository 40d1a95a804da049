"""Tests of the table of events (src/iopermit/system/events/table.py)."""

import pytest

from iopermit.system.bitmap import PortRange
from iopermit.system.events import EVENTS, Asked, Event, all_events, plain_events
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.system.scenario import Scenario

DONE = [event for event in EVENTS.values() if event.operation is not None]


@pytest.mark.parametrize("event", EVENTS.values(), ids=str)
def test_a_row_is_complete(event: Event) -> None:
    """Somebody does it, or it is an aspect of another event, or nobody asks for it."""
    assert event.meaning.endswith((".", ".)"))
    assert bool(event.who) == (event.operation is not None)
    assert event.operation or event.part_of or event.asked is Asked.NEVER


@pytest.mark.parametrize("event", DONE, ids=str)
def test_every_choice_has_the_arguments_of_the_operation(event: Event) -> None:
    """Each choice gives a value to every argument that the operation uses, and makes a text."""
    assert event.operation is not None
    choices = event.choices(Scenario(2, 3, 2))
    assert choices
    for choice in choices:
        values = event.values(choice, PortRange)
        assert {name for name, _ in event.operation.arguments} <= values.keys()
        assert event.told({**values, "cpu": 1})


def test_the_recorded_sets_are_those_of_today() -> None:
    """Until an event is added, `plain` and `all` are the sets under which figures were found."""
    assert plain_events() >= PLAIN_EVENTS
    assert all_events() >= ALL_EVENTS
    assert ALL_EVENTS & plain_events() == PLAIN_EVENTS
