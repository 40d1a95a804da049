"""Tests when the scheduler may take a CPU from a task, whom it may run next, and what that does."""

import copy
from pathlib import Path

import pytest
from tests.support.designs.sleeping import (
    AllocatesAtomically,
    LeavesItToTheWayBack,
    SleepsInBetween,
)
from tests.support.translate.lowering import SCENARIO, small_design

from iopermit.system.design import Design
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.model.evaluation import Evaluation, Values
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.model.model import Model, Step
from iopermit.translate.model.nodes import (
    DEAD,
    EMBRYO,
    FREE,
    KERNEL_THREAD,
    STOPPED,
    USER,
)
from iopermit.translate.translation import translate

IDLE = 2
"""The slot of the idle task of CPU 0, behind two tasks."""


class Cpu:
    """CPU 0 of the small design: which switches are possible, and what they do."""

    def __init__(self, folder: Path, scenario: Scenario = SCENARIO) -> None:
        """Task A runs in user mode, task B waits."""
        self.model: Model = translate(small_design(folder), scenario)
        self.values: Values = copy.deepcopy(initial_values(scenario, self.model))
        self.pcs(USER, USER)

    def pcs(self, first: int, second: int) -> None:
        """Say what the two tasks do."""
        self.values["task", "pc"][:2] = [first, second]

    def run(self, slot: int) -> None:
        """Let the CPU run a task."""
        self.values["cpu", "current"][0] = slot + 1

    def switches(self) -> set[int]:
        """Return the slots of the tasks that the CPU may be given to."""
        evaluation = Evaluation(self.model.fields, self.values, {"cpu": 0, "task": 0})
        possible = [rule for rule in self.model.switch_rules if evaluation.value(rule.guard)]
        return {dict(rule.arguments)["following"] for rule in possible}

    def switch(self, following: int) -> Values:
        """Switch to a task, up to the end; return the state then."""
        evaluation = Evaluation(
            self.model.fields, copy.deepcopy(self.values), {"cpu": 0, "task": 0}
        )
        (rule,) = (
            each
            for each in self.model.switch_rules
            if dict(each.arguments)["following"] == following
        )
        assert evaluation.value(rule.guard)
        evaluation.execute(rule.body)
        while pc := evaluation.values["cpu", "pc"][0]:
            target = evaluation.execute(self.model.steps[pc].body)
            assert target is not None
            evaluation.values["cpu", "pc"][0] = target
        return evaluation.values


def working(model: Model) -> int:
    """Return a step of ioperm(), which a task does neither with preemption off nor asleep."""
    steps = [s for s in model.steps.values() if s.site and s.site.function == "ioperm"]
    return next(s.pc for s in steps if s.allocation is None)


@pytest.fixture
def cpu(tmp_path: Path) -> Cpu:
    """Return the CPU with task A in user mode."""
    return Cpu(tmp_path)


def test_from_user_mode_the_cpu_may_go_to_another_task_or_idle(cpu: Cpu) -> None:
    """Interrupts come in user mode at any time."""
    assert cpu.switches() == {1, IDLE}


@pytest.mark.parametrize("pc", [FREE, EMBRYO, DEAD, STOPPED])
def test_only_tasks_that_can_run_are_run(cpu: Cpu, pc: int) -> None:
    """A free slot, a child before its time, a dead task and a stopped one are not."""
    cpu.pcs(USER, pc)
    assert cpu.switches() == {IDLE}


def test_from_idle_only_to_a_task(cpu: Cpu) -> None:
    """An idle CPU has nothing to gain from idling."""
    cpu.run(IDLE)
    assert cpu.switches() == {0, 1}


@pytest.mark.parametrize("pc", [KERNEL_THREAD, DEAD])
def test_threads_and_dead_tasks_give_the_cpu_up(cpu: Cpu, pc: int) -> None:
    """A kernel thread between two events, and an exited task, are switched away from."""
    cpu.pcs(pc, USER)
    assert cpu.switches() == {1, IDLE}


def test_kernel_code_is_preempted_where_it_may_be(tmp_path: Path) -> None:
    """A task in the kernel that does not sleep is switched out only if there is preemption."""
    for events, possible in (
        (SCENARIO.events, {1, IDLE}),
        (SCENARIO.events - {Event.PREEMPT}, set()),
    ):
        cpu = Cpu(tmp_path, Scenario(1, 2, 2, events))
        cpu.pcs(working(cpu.model), USER)
        assert cpu.switches() == possible


@pytest.mark.parametrize("where", ["allocate Note", "the task is dead"])
def test_kernel_code_that_sleeps_gives_the_cpu_up(where: str) -> None:
    """Without preemption a task is switched out before an allocation, and while it dies."""
    steps = sleeping_steps(SleepsInBetween)
    assert where in {step.label for step in steps if not step.preemption_off}


def test_an_allocation_with_preemption_off_does_not_sleep() -> None:
    """It has to be an atomic one."""
    allocations = [s for s in sleeping_steps(AllocatesAtomically) if s.allocation is not None]
    assert allocations
    assert all(step.preemption_off for step in allocations)


def test_the_way_back_to_user_mode_gives_the_cpu_up_once() -> None:
    """Without preemption a task is switched out before the hook of the way back, not within."""
    steps = sleeping_steps(LeavesItToTheWayBack)
    (way,) = (step for step in steps if step.label == "return to user mode: interrupts off")
    hook = [step for step in steps if step.site and step.site.function == "return_to_user"]
    assert not way.preemption_off
    assert hook
    assert all(step.preemption_off for step in hook)


def sleeping_steps(design: type[Design]) -> list[Step]:
    """Return the steps of the tasks of a design that is not preemptible."""
    model = translate(design, Scenario(1, 2, 1, ALL_EVENTS))
    return [step for step in model.steps.values() if step.context == "task"]


def test_a_task_has_one_cpu(tmp_path: Path) -> None:
    """What another CPU runs, or is switching to, is not taken."""
    cpu = Cpu(tmp_path, Scenario(2, 2, 2, SCENARIO.events))
    cpu.values["cpu", "current"] = [3, 2]
    assert cpu.switches() == {0}
    cpu.values["cpu", "current"] = [3, 4]
    cpu.values["cpu", "following"] = [0, 1]
    assert cpu.switches() == {1}


def test_without_migration_a_task_stays_at_home(tmp_path: Path) -> None:
    """Each CPU runs those tasks only whose home it is."""
    events = SCENARIO.events - {Event.MIGRATE}
    cpu = Cpu(tmp_path, Scenario(2, 2, 2, events))
    cpu.values["cpu", "current"] = [3, 4]
    assert cpu.values["task", "home"][:2] == [0, 1]
    assert cpu.switches() == {0}


def test_a_switch_makes_the_next_task_current(cpu: Cpu) -> None:
    """The one that was interrupted comes back to user mode later; the CPU switches no more."""
    after = cpu.switch(1)
    assert (after["cpu", "current"], after["cpu", "following"]) == ([2], [0])
    assert after["task", "pc"][:2] == [cpu.model.return_pc, USER]


def test_a_dead_task_is_gone_after_the_switch(cpu: Cpu) -> None:
    """Its slot is free and empty; that of a living one is not."""
    cpu.pcs(DEAD, USER)
    cpu.values["task", "longs"][:2] = [2, 2]
    after = cpu.switch(1)
    assert after["task", "pc"][:2] == [FREE, USER]
    assert after["task", "longs"][:2] == [0, 2]
