"""Tests of operations and events as steps and rules of a model."""

import random
from dataclasses import replace

import pytest
from tests.support.search.lockstep import Lockstep

from iopermit.designs import designs, find
from iopermit.system.events import EVENTS, Event, Precondition
from iopermit.system.events.hooks import FORK_FAILED, Kind
from iopermit.system.events.operations import Call, Effect, Operation
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.environment import effects, events
from iopermit.translate.environment.build import build
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import KERNEL_THREAD, Goto


def model(name: str, *some: Event) -> Model:
    """Return a design with some events, for one CPU, two tasks and two longs."""
    return build(find(name), Scenario(1, 2, 2, frozenset(some) or ALL_EVENTS))


def functions(of: Model) -> set[str]:
    """Return the names of the design's methods that the model has steps of."""
    return {step.site.function for step in of.steps.values() if step.site is not None}


def test_every_effect_and_guard_is_known() -> None:
    """The translator can do whatever an operation may say, and check whatever a row may want."""
    assert effects._EFFECTS.keys() == set(Effect)
    assert events._GUARDS.keys() == set(Precondition)


@pytest.mark.parametrize("name", designs())
def test_rules_are_those_of_the_table(name: str) -> None:
    """There is a rule for every choice of arguments of every event that the design can have."""
    user = model(name).user_rules
    scenario = Scenario(1, 2, 2)
    for event in (Event.IOPERM, Event.IOPL, Event.FORK, Event.IO_THREAD_FAILS, Event.EXIT):
        arguments = [dict(rule.arguments) for rule in user if rule.event == event.name]
        assert arguments == event.choices(scenario)


def test_events_with_one_operation_share_their_steps() -> None:
    """Whether a fork fails late, and whom it makes, is told by arguments, not by other steps."""
    user = model("linux-5.4").user_rules
    starts = {rule.starts for rule in user if rule.event.startswith(("fork", "io-thread"))}
    assert len(starts) == 1


def test_what_no_event_asks_for_has_no_steps() -> None:
    """Without forks that fail late the hook that unwinds them is not in the model."""
    assert "exit_thread" in functions(model("linux-v2-06", Event.FORK, Event.FORK_FAILS))
    without = model("linux-v2-06", Event.FORK)
    assert "exit_thread" not in functions(without)
    assert all(step.label != "fork: unwound" for step in without.steps.values())


def test_an_operation_without_steps_leads_back() -> None:
    """Dropping a privilege goes straight to the way back to user mode."""
    found = model("linux-5.5", Event.DROP_PRIVILEGE)
    (rule,) = found.user_rules
    assert rule.starts == found.return_pc
    assert rule.body[-1] == Goto(found.return_pc)


def test_kernel_threads_have_rules_of_their_own() -> None:
    """A kernel thread makes others and exits; it makes no system call."""
    names = {rule.event for rule in model("linux-5.4").thread_rules}
    assert names == {"io-thread", "io-thread-fails", "exit"}
    assert all(rule.starts != KERNEL_THREAD for rule in model("linux-5.4").thread_rules)


def test_every_operation_that_makes_a_task_tells_whom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second way to make a task, and fail early, has a variable for the child, known as such."""
    early = Operation(
        "fork-early",
        (Call(FORK_FAILED, "fork: unwound"), Effect.FREE_CHILD),
        at_once=(Effect.MAKE_CHILD,),
        arguments=(("child", Kind.TASK),),
    )
    fails = replace(Event.FORK_FAILS, name="fork-fails-early", operation=early)
    monkeypatch.setitem(EVENTS, fails.name, fails)
    found = model("linux-v2-06", Event.FORK, fails)
    assert [field.name for field in found.kernel.children] == ["fork.child", "fork-early.child"]
    assert "exit_thread" in functions(found)
    walk = Lockstep(find("linux-v2-06"), Scenario(1, 2, 1, frozenset({Event.EXIT, fails})))
    assert walk.walk(500, random.Random(1)).events[fails.name] > 1
