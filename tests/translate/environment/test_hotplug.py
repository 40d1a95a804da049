"""Tests when a model lets an idle CPU go down, and what changes at once and in the end."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design
from iopermit.translate.model.evaluation import Evaluation, Values
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.model.nodes import FREE, USER
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model, Rule

FILE: Final = Path(__file__).parents[2] / "support" / "designs" / "hotplug.py"
EVENTS: Final = frozenset({Event.IOPERM, Event.CPU_OFFLINE})
BOUND: Final = Scenario(3, 2, 1, EVENTS)
MOVING: Final = Scenario(3, 2, 1, EVENTS | {Event.MIGRATE})
IDLE: Final = (3, 4, 5)
"""Pointers to the idle tasks of three CPUs, behind two tasks."""


class Machine:
    """Three CPUs that all idle; task A is bound to CPU 0, task B to CPU 1."""

    def __init__(self, scenario: Scenario = BOUND, design: str = "Resets") -> None:
        self.model: Model = translate(load_design(f"{FILE}:{design}"), scenario)
        self.values: Values = copy.deepcopy(initial_values(scenario, self.model))
        self.values["cpu", "current"] = list(IDLE)
        self.values["task", "pc"][:2] = [USER, USER]

    def on(self, cpu: int) -> Evaluation:
        """Return what evaluates expressions on a CPU."""
        return Evaluation(self.model.fields, self.values, {"cpu": cpu, "task": 0})

    def rules(self) -> list[Rule]:
        """Return the rules of the event."""
        return [r for r in self.model.switch_rules if r.event == "cpu-offline"]

    def possible(self, cpu: int) -> list[dict[str, int]]:
        """Return the arguments with which a CPU may go down."""
        return [dict(r.arguments) for r in self.rules() if self.on(cpu).value(r.guard)]

    def down(self, cpu: int, **arguments: int) -> None:
        """Let it go down."""
        (rule,) = [r for r in self.rules() if dict(r.arguments) == arguments]
        self.on(cpu).execute(rule.body)

    def up(self, cpu: int) -> list[str]:
        """Let it come up; return what its steps are."""
        names = []
        while pc := self.values["cpu", "pc"][cpu]:
            step = self.model.steps[pc]
            names.append(step.label if step.site is None else step.site.function)
            target = self.on(cpu).execute(step.body)
            assert target is not None
            self.values["cpu", "pc"][cpu] = target
        return names


def test_its_tasks_go_to_another_cpu_if_they_are_bound() -> None:
    """Each other CPU can be their home; there is nothing to choose where tasks migrate."""
    assert Machine().possible(1) == [{"home": 0}, {"home": 2}]
    assert Machine(MOVING).possible(1) == [{}]


def test_only_an_idle_cpu_goes_down() -> None:
    """Not one that runs a task, and not one that is switching away from its idle task."""
    machine = Machine(MOVING)
    machine.values["cpu", "current"][1] = 1
    assert machine.possible(1) == []
    assert machine.possible(0) == [{}]


def test_one_cpu_comes_up_at_a_time() -> None:
    """While a CPU comes up no other goes down; while one switches, others may."""
    machine = Machine(MOVING)
    machine.down(1)
    assert machine.possible(0) == machine.possible(2) == []
    machine.up(1)
    assert machine.possible(0) == machine.possible(2) == [{}]
    machine.values["cpu", "following"][1] = 1
    assert machine.possible(0) == [{}]


@pytest.mark.parametrize("scenario", [Scenario(1, 2, 1, EVENTS), Scenario(3, 2, 1, EVENTS)])
def test_one_cpu_or_a_kernel_without_hotplug_has_no_rule_for_it(scenario: Scenario) -> None:
    """Then bring_up() has no steps either."""
    machine = Machine(BOUND, "WithoutHotplug")
    if scenario.cpus == 1:
        machine.model = translate(load_design(f"{FILE}:Resets"), scenario)
    assert machine.rules() == []
    functions = {s.site.function for s in machine.model.steps.values() if s.site is not None}
    assert "bring_up" not in functions


def test_what_changes_at_once() -> None:
    """TR is loaded, and the tasks that were bound to the CPU get another; a free slot gets none."""
    machine = Machine()
    machine.values["cpu", "tr_limit_low"] = [1, 1, 1]
    machine.values["task", "home"][:2] = [1, 1]
    machine.values["task", "pc"][0] = FREE
    machine.down(1, home=2)
    assert machine.values["cpu", "tr_limit_low"] == [1, 0, 1]
    assert machine.values["task", "home"][:2] == [1, 2]


def test_bring_up_runs_on_the_cpu_and_keeps_what_it_does_not_write() -> None:
    """The hook's statements come, then a step in which the CPU idles again."""
    machine = Machine(MOVING, "ForgetsTag")
    machine.values["tss", "tag"] = [1, 1, 1]
    machine.values["tss", "dirty"] = [1, 1, 1]
    machine.down(2)
    steps = machine.up(2)
    assert steps[-1] == "the CPU is up again"
    assert set(steps[:-1]) == {"bring_up"}
    assert machine.values["tss", "tag"] == [1, 1, 1]
    assert machine.values["tss", "dirty"] == [1, 1, 0]
    assert machine.values["cpu", "current"] == list(IDLE)
    assert machine.values["cpu", "following"] == [0, 0, 0]


def test_a_design_without_the_hook_is_up_at_once() -> None:
    """Only TR is loaded; no step is left to do."""
    machine = Machine(MOVING, "WithoutHook")
    machine.values["cpu", "tr_limit_low"] = [1, 1, 1]
    machine.down(0)
    assert machine.values["cpu", "tr_limit_low"] == [0, 1, 1]
    assert machine.up(0) == []


def test_nothing_is_left_of_the_first_bring_up_but_what_it_stored() -> None:
    """Local variables of bring_up() are 0 in the first state, as they are after a later one."""
    scenario = Scenario(2, 2, 2, MOVING.events)
    model = translate(load_design(f"{FILE}:Resets"), scenario)
    variables = [f for f in model.fields if f.local and f.name.startswith("bring_up.")]
    assert variables
    values = initial_values(scenario, model)
    assert all(values[f.record, f.name] == [0, 0] for f in variables)
