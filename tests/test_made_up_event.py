"""A made-up event, entered into the table and nowhere else, is seen everywhere."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import HOLDING, SMALL, run
from tests.support.kernel.checking import loaded
from tests.support.search.lockstep import Lockstep
from tests.support.system.driving import finish, make

from iopermit.designs import find
from iopermit.kernel.check import check_tree
from iopermit.report.json import to_text, verdict_json
from iopermit.report.text import report
from iopermit.report.words import events as events_in_words
from iopermit.search.check import check
from iopermit.search.counterexample.recorder import concretions, record
from iopermit.search.replay import replay
from iopermit.system.events import EVENTS, Asked, Event, all_events, plain_events
from iopermit.system.events.event import EVERYBODY
from iopermit.system.events.hooks import EXIT, HOOKS, Hook
from iopermit.system.events.operations import Call, Effect, Operation
from iopermit.system.events.rules import enabled
from iopermit.system.execution import Action, Mode, action
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import DesignLoadError, load_design
from iopermit.translate.frontend.mutate import mutations
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.model.nodes import KERNEL_THREAD
from iopermit.translate.promela.export import export
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.engine.verdict import Verdict

NOTHING = Event(
    name="nothing",
    meaning="A task does nothing at all.",
    text="does nothing at all",
    asked=Asked.ALL,
    who=EVERYBODY,
    operation=Operation("nothing"),
)
FEW = frozenset({Event.IOPERM, Event.EXIT})
"""Events with which the other one is searched."""
LEAK = Scenario(1, 2, 2, FEW)
"""Where linux-v2-06 leaks."""
POKE = Hook("poke", "be poked", EXIT.parameters)
POKED = Event(
    name="poked",
    meaning="A task is poked.",
    text="is poked",
    asked=Asked.ALL,
    who=EVERYBODY,
    operation=Operation("poked", (Call(POKE, "the poke returns"), Effect.REVOKE_ALL)),
    hook=POKE,
)
DESIGN = '''"""A design with a hook that no kernel has."""

from iopermit.designs.linux.v6_16 import Linux616
from iopermit.system.machine_state import Cpu, IoMapBase, Task


class Poked(Linux616):
    """Forgets everything when a task is poked."""

    id = "poked"

    def poke(self, cpu: Cpu, task: Task) -> None:
        """Do what ends a task's use of ports."""
        self.exit_thread(cpu, task)
'''


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Return an event that does nothing, and that the table has for the duration of a test."""
    monkeypatch.setitem(EVENTS, NOTHING.name, NOTHING)
    return NOTHING


@pytest.fixture
def poked(monkeypatch: pytest.MonkeyPatch) -> Event:
    """Return an event with a hook of its own, both in their tables for a test."""
    monkeypatch.setitem(HOOKS, POKE.name, POKE)
    monkeypatch.setitem(EVENTS, POKED.name, POKED)
    return POKED


def with_event(event: Event, scenario: Scenario) -> Scenario:
    """Return a scenario with one more event."""
    return replace(scenario, events=scenario.events | {event})


# The event that does nothing.


def test_it_belongs_to_its_set(nothing: Event) -> None:
    """It is one of all events, and no plain one; a scenario without a list of events has it."""
    assert nothing in all_events() - plain_events()
    assert Scenario().has(nothing)


def test_the_command_line_knows_it(nothing: Event, capsys: pytest.CaptureFixture[str]) -> None:
    """--events and --without take its name, and a wrong name is answered with it."""
    arguments = ("check", HOLDING, *SMALL, "--json", "--events", "ioperm,nothing")
    found = json.loads(run(capsys, *arguments).out)
    assert found["scenario"]["events"] == ["ioperm", nothing.name]
    found = json.loads(run(capsys, *arguments, "--without", "nothing").out)
    assert found["scenario"]["events"] == ["ioperm"]
    assert "nothing" in found["uncovered"]["not_asked"]
    assert "did you mean nothing?" in run(capsys, *arguments[:-1], "nothin").err


def test_reports_name_it(nothing: Event) -> None:
    """In words it is one of the events that a scenario has or lacks."""
    assert events_in_words(Scenario()) == "all events"
    assert events_in_words(Scenario(events=all_events() - {nothing})) == "all events but nothing"
    assert events_in_words(Scenario(events=frozenset({nothing}))) == "the events nothing"


def test_the_model_has_it(nothing: Event) -> None:
    """It is a rule that leads a user task to user mode, and a kernel thread to where it was."""
    model = translate(find(HOLDING), with_event(nothing, LEAK))
    (user,) = [rule for rule in model.user_rules if rule.event == nothing.name]
    (thread,) = [rule for rule in model.thread_rules if rule.event == nothing.name]
    assert (user.starts, thread.starts) == (model.return_pc, KERNEL_THREAD)
    values = initial_values(LEAK, model)
    assert "nothing" in export(model, values)


def test_the_simulation_does_it() -> None:
    """It is possible in user mode, and ends there, with the same grants."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(EVENTS, NOTHING.name, NOTHING)
        system = make(events=FEW | {NOTHING})
        assert action(0, "nothing") in enabled(system)
        finish(system, action(0, "nothing"))
    assert system.threads[0].mode is Mode.USER
    with pytest.raises(ValueError, match="there is no event 'nothing'"):
        system.apply(action(0, "nothing"))


def test_both_readings_agree_about_it(nothing: Event) -> None:
    """Four thousand random steps, this event among them, lead to the same states."""
    scenario = with_event(nothing, Scenario(1, 3, 1, FEW | {Event.IO_THREAD}))
    walk = Lockstep(find("linux-5.5"), scenario).walk(4000, random.Random(1))
    assert walk.events["nothing"] > 10


def test_the_search_finds_no_other_state(nothing: Event) -> None:
    """Every state is reached without it too, and it is not among what never was possible."""
    without = check(find("linux-6.16"), LEAK)
    found = check(find("linux-6.16"), with_event(nothing, LEAK))
    assert (found.verdict, found.search.states) == ("holds", without.search.states)
    assert "nothing" not in found.uncovered.events
    assert "nothing" in without.uncovered.not_asked


def leaking() -> Verdict:
    """Return a verdict with a schedule in which a task does nothing before it leaks."""
    design, scenario = find("linux-v2-06"), with_event(NOTHING, LEAK)
    verdict = check(design, scenario)
    assert verdict.trace is not None
    actions = [Action(0, NOTHING.name)]
    for step in verdict.trace:
        arguments = dict(step.arguments)
        choice = arguments.pop("choice", None)
        actions.append(Action(step.cpu, step.event, tuple(arguments.items()), choice))
    way_back = [Action(0, "step")] * (len(run_alone()) - 1)
    actions[1:1] = way_back
    shown = record(design, scenario, [(a, 0) for a in actions], concretions(design, scenario)[0])
    return replace(verdict, violation=shown.violation, trace=shown.trace)


def run_alone() -> list[Action]:
    """Return the event and the steps of the way back to user mode."""
    system = make(find("linux-v2-06"), events=FEW | {NOTHING})
    done = [Action(0, NOTHING.name)]
    system.apply(done[0])
    while system.threads[0].mode is Mode.KERNEL:
        done.append(Action(0, "step"))
        system.apply(done[-1])
    return done


def test_a_schedule_with_it_is_told_and_replayed(nothing: Event) -> None:
    """Text and JSON have the event, and a saved schedule with it is executed again."""
    verdict = leaking()
    for steps in (False, True):
        text = "\n".join(line.text for line in report(verdict, steps=steps))
        assert "does nothing at all" in text
    saved = json.loads(to_text(verdict_json(verdict)))
    assert saved["trace"][0]["event"] == nothing.name
    replayed = replay(saved)
    assert replayed.trace == verdict.trace
    assert replayed.scenario.has(nothing)


def test_trees_do_it(nothing: Event) -> None:
    """In a kernel tree it is possible everywhere, and leads to no other state."""
    scenario = Scenario(1, 2, 1, frozenset({Event.IOPERM}))
    without = check_tree(loaded("6.1", "repair"), [scenario])
    found = check_tree(loaded("6.1", "repair"), [with_event(nothing, scenario)])
    assert (found.verdict, found.search.states) == ("holds", without.search.states)
    assert found.search.transitions > without.search.transitions
    assert found.uncovered.events == ()


# An event with a hook of its own.


def test_a_design_can_have_a_new_hook(poked: Event, tmp_path: Path) -> None:
    """The event is there where the design has the hook, whose statements are executed."""
    file = tmp_path / "poked.py"
    file.write_text(DESIGN, encoding="utf-8")
    scenario = Scenario(1, 2, 1, FEW | {poked})
    found = check(load_design(str(file)), scenario)
    assert (found.verdict, found.uncovered.events) == ("holds", ())
    assert check(find("linux-6.16"), scenario).uncovered.events == (poked.name,)
    walk = Lockstep(load_design(str(file)), scenario).walk(500, random.Random(1))
    assert walk.events["poked"] > 1


def test_loader_and_mutator_read_its_declaration(poked: Event, tmp_path: Path) -> None:
    """A hook with a parameter too few is refused, and what it executes is mutated."""
    assert poked.hook is not None
    file = tmp_path / "poked.py"
    file.write_text(DESIGN, encoding="utf-8")
    assert "poke" in {mutation.method for mutation in mutations(load_design(str(file)))}
    file.write_text(DESIGN.replace("cpu: Cpu, task: Task", "task: Task"), encoding="utf-8")
    with pytest.raises(DesignLoadError, match=r"poke\(\) must have 2 parameters") as refused:
        load_design(str(file))
    assert poked.hook.declaration in str(refused.value)


def test_trees_without_such_a_function_never_do_it(poked: Event) -> None:
    """An event that trees have no function for is reported as never possible, not as done."""
    scenario = Scenario(1, 2, 1, frozenset({Event.IOPERM, poked}))
    found = check_tree(loaded("6.1", "repair"), [scenario])
    assert found.uncovered.events == (poked.name,)
