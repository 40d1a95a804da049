"""Tests that what tasks do follows the table of events, and that nothing is passed over."""

import enum
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.support.certify.certificates import OWN_DESIGN, certificate, scenario
from tests.support.certify.exploring import explore
from tests.support.designs.sleeping_first import TRUSTING, Resumed

from iopermit.certify.checker import certify
from iopermit.certify.errors import Refuted, UnacceptableError
from iopermit.designs import find
from iopermit.system.design import Design
from iopermit.system.events import EVENTS, Event, Precondition, all_events, hooks, register
from iopermit.system.events.event import EVERYBODY, Asked
from iopermit.system.events.operations import Argument, Call, Decision, Effect, Operation
from iopermit.system.scenario import Scenario


@pytest.fixture
def registered() -> Iterator[Callable[[Event], Scenario]]:
    """Give what enters an event into the table and returns a scenario with nothing else."""
    before = dict(EVENTS)

    def enter(event: Event) -> Scenario:
        return Scenario(1, 2, 1, frozenset({register(event), Event.IOPERM}))

    yield enter
    EVENTS.clear()
    EVENTS.update(before)


def event(**changes: Any) -> Event:  # noqa: ANN401 - any field of an event
    """Return an event of everybody that calls the hook for exec and then changes nothing."""
    operation = Operation("wait", (Call(hooks.EXECVE, "wait returns"),))
    made = Event(name="wait", meaning="", asked=Asked.ALL, who=EVERYBODY, operation=operation)
    return replace(made, **changes)


def test_new_event_of_known_effects_is_certified(
    registered: Callable[[Event], Scenario], tmp_path: Path
) -> None:
    """An event that the table has in addition needs nothing in the checker."""
    body = (Call(hooks.IOPL, "first"), Effect.REVOKE_LEVEL, Call(hooks.EXECVE, "second"))
    operation = Operation("wait", body, arguments=(("level", hooks.Kind.LEVEL),))
    bounds = registered(event(operation=operation, arguments=Choices([{"level": 3}])))
    states = certificate(tmp_path / "it", OWN_DESIGN, bounds)
    result = certify(tmp_path / "it")
    assert result.verified
    assert result.members == states


def test_branches_that_call_go_on_alike(
    registered: Callable[[Event], Scenario], tmp_path: Path
) -> None:
    """What follows a decision follows it on both sides, a call inside or not."""
    body = (
        Call(hooks.IOPL, "asked"),
        Decision(Argument("again"), (Call(hooks.EXECVE, "again"), Effect.REVOKE_LEVEL)),
    )
    operation = Operation(
        "wait", body, arguments=(("again", hooks.Kind.FLAG), ("level", hooks.Kind.LEVEL))
    )
    assert operation.arguments
    choices = [{"again": again, "level": 3} for again in (0, 1)]
    arguments = Choices(choices)
    bounds = registered(event(operation=operation, arguments=arguments))
    states = certificate(tmp_path / "it", OWN_DESIGN, bounds)
    assert certify(tmp_path / "it").members == states


@pytest.mark.parametrize("design", TRUSTING)
def test_task_may_sleep_before_a_hook(design: type[Design]) -> None:
    """The checker, too, lets a task of a kernel that is not preemptible sleep there."""
    bounds = Scenario(1, 2, 1, all_events() - {Event.PREEMPT})
    with pytest.raises(Refuted):
        explore(design, bounds)
    assert explore(Resumed, bounds)


class Choices:
    """Arguments that are listed."""

    def __init__(self, choices: list[dict[str, int]]) -> None:
        self._choices = choices

    def choices(self, _bounds: object) -> list[dict[str, int]]:
        """Return them."""
        return self._choices

    def values(self, choice: dict[str, int], _ports_of: object) -> dict[str, int]:
        """Return what a choice means."""
        return choice


class Unknown(enum.Enum):
    """Something that the checker has not heard of."""

    THING = 1


@pytest.mark.parametrize(
    "changes",
    [
        {"operation": Operation("wait", (Call(hooks.EXECVE, "back"), Unknown.THING))},  # type: ignore[arg-type]  # as meant
        {"operation": Operation("wait", at_once=(Unknown.THING,))},  # type: ignore[arg-type]  # as meant
        {"guard": Unknown.THING},
        {"operation": None},
    ],
    ids=["effect", "effect at once", "precondition", "operation"],
)
def test_unknown_meaning_is_refused(
    changes: dict[str, Any], registered: Callable[[Event], Scenario]
) -> None:
    """An effect or a precondition whose meaning the checker does not have is not passed over."""
    with pytest.raises(UnacceptableError, match="this checker does not know"):
        explore(find("linux-5.4"), registered(event(**changes)))


def test_every_effect_and_precondition_is_known() -> None:
    """Every event of the table can be explored."""
    states, _ = explore(find("linux-2.6.10"), scenario(1, 1, 1))
    assert states > 100
    assert all(isinstance(each.guard, Precondition) for each in EVENTS.values())
