"""Tests of the arguments of events (src/iopermit/system/events/arguments.py)."""

from iopermit.system.bitmap import PortRange
from iopermit.system.events import Event
from iopermit.system.events.arguments import Child, Granted, Home, Level, NoArguments, Ports
from iopermit.system.scenario import Scenario

SCENARIO = Scenario(1, 2, 2)


def test_ioperm_is_called_with_every_range_and_an_invalid_one() -> None:
    """Three ranges of two longs on and off, the whole map first, and an empty one last."""
    choices = [tuple(choice.values()) for choice in Ports().choices(SCENARIO)]
    ranges = [(0, 2), (0, 1), (1, 2)]
    wanted = [*((*r, 1) for r in ranges), *((*r, 0) for r in ranges), (0, 0, 1)]
    assert choices == wanted


def test_ports_mean_what_the_reading_takes_for_them() -> None:
    """The longs of a choice become ports, and the number a flag."""
    values = Ports().values({"first": 1, "end": 2, "turn_on": 0}, PortRange)
    assert values == {"ports": PortRange(1, 2), "turn_on": False}


def test_other_arguments_are_chosen_from_a_list() -> None:
    """Levels as the row has them, all slots for a child, both kinds of faults, or nothing."""
    assert Level((2, 1)).choices(SCENARIO) == [{"level": 2}, {"level": 1}]
    assert Child().choices(SCENARIO) == [{"child": 0}, {"child": 1}]
    assert Granted().choices(SCENARIO) == [{"granted": 1}, {"granted": 0}]
    assert NoArguments().choices(SCENARIO) == [{}]
    assert Granted().values({"granted": 1}, PortRange) == {"granted": True}


def test_a_home_is_chosen_only_where_tasks_have_one() -> None:
    """Every CPU can be the home of tasks that do not migrate; of others there is nothing to say."""
    bound = Scenario(3, 2, 1, frozenset({Event.CPU_OFFLINE}))
    assert Home().choices(bound) == [{"home": 0}, {"home": 1}, {"home": 2}]
    moving = Scenario(3, 2, 1, frozenset({Event.CPU_OFFLINE, Event.MIGRATE}))
    assert Home().choices(moving) == [{}]
    assert Home().values({"home": 2}, PortRange) == {"home": 2}
