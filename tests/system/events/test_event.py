"""Tests of how a scenario finds its events (src/iopermit/system/events/event.py)."""

import pickle

import pytest

from iopermit.system.bitmap import PortRange
from iopermit.system.events import (
    EVENTS,
    Asked,
    Event,
    Who,
    all_events,
    event_named,
    events_of,
    plain_events,
    register,
)
from iopermit.system.events.operations import Effect
from iopermit.system.scenario import Scenario


def names(who: Who, *events: Event, hooks: tuple[str, ...] = ()) -> list[str]:
    """Return what somebody can do, in a design with certain hooks."""
    return [event.name for event in events_of(who, events, hooks.__contains__)]


def test_a_name_is_given_once() -> None:
    """A second event of the same name is refused, and the table keeps the first."""
    with pytest.raises(ValueError, match="there is an event 'exit' already"):
        register(Event(name="exit", meaning="Another one.", asked=Asked.PLAIN))
    assert EVENTS["exit"] is Event.EXIT


def test_plain_events_are_among_all_events() -> None:
    """`all` has every plain event and more; neither has what nobody asks for."""
    assert plain_events() < all_events()
    assert not {e.name for e in all_events()} & {"io-thread-fails", "fault", "switch"}


@pytest.mark.parametrize("name", ["fault", "nothing"])
def test_only_what_can_be_asked_for_is_found_by_name(name: str) -> None:
    """Neither an unknown name nor one that nobody asks for is an event of a scenario."""
    assert event_named("vm-exit") is Event.VM_EXIT
    with pytest.raises(ValueError, match=f"'{name}' is no event"):
        event_named(name)


def test_an_event_without_its_hook_is_not_there() -> None:
    """A VM exit happens in a design with the hook vm_exit only, and a fault likewise."""
    assert names(Who.USER, Event.VM_EXIT, Event.EXIT) == ["exit"]
    hooks = ("vm_exit", "general_protection")
    assert names(Who.USER, Event.VM_EXIT, Event.EXIT, hooks=hooks) == ["exit", "vm-exit", "fault"]


def test_what_nobody_asks_for_comes_with_others() -> None:
    """A kernel thread fails late where there are kernel threads and forks that fail late."""
    assert names(Who.KERNEL_THREAD, Event.IO_THREAD) == ["io-thread"]
    both = names(Who.KERNEL_THREAD, Event.IO_THREAD, Event.FORK_FAILS)
    assert both == ["io-thread", "io-thread-fails"]


def test_events_with_one_operation_stand_together() -> None:
    """All forks come where the first of them stands, whatever comes in between in the table."""
    wanted = ["fork", "fork-fails", "io-thread", "io-thread-fails", "exit"]
    assert names(Who.USER, Event.EXIT, Event.IO_THREAD, Event.FORK_FAILS, Event.FORK) == wanted


def test_an_aspect_of_others_is_done_by_nobody() -> None:
    """Preemption, migration and failing allocations only change when other things can happen."""
    assert names(Who.USER, Event.PREEMPT, Event.MIGRATE, Event.ALLOCATION_FAILS) == []


def test_texts_have_real_ports_and_arguments() -> None:
    """Reports name ports as the call has them, flags as numbers, and the level."""
    choice = {"first": 1, "end": 2, "turn_on": 1}
    values = Event.IOPERM.values(choice, lambda a, b: PortRange(100 * a, b))
    assert Event.IOPERM.told(values) == "ioperm(100, 2, 1)"
    assert Event.IOPL.told({"level": 3}) == "iopl(3)"
    assert Event.FORK.told({"child": 1}) == "fork()"


def test_values_have_what_is_fixed() -> None:
    """A fork that fails has the same operation as another, and says that it fails."""
    assert Event.FORK.operation is Event.FORK_FAILS.operation
    assert not Event.FORK.values({"child": 1}, PortRange)["fails"]
    assert Event.FORK_FAILS.values({"child": 1}, PortRange)["fails"]


def test_an_event_tells_its_effects() -> None:
    """Effects are those at once and those of every branch."""
    assert Event.DROP_PRIVILEGE.effects == {Effect.DROP_PRIVILEGE}
    assert Event.FORK.effects == {Effect.MAKE_CHILD, Effect.START_CHILD, Effect.FREE_CHILD}
    assert Event.PREEMPT.effects == frozenset()


def test_an_event_survives_another_process() -> None:
    """A scenario that was sent to another process has the same events."""
    scenario = Scenario()
    copied: Scenario = pickle.loads(pickle.dumps(scenario))  # noqa: S301 - our own bytes
    assert copied == scenario
    assert copied.has(Event.IOPERM)
