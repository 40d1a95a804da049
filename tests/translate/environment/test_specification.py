"""Tests what the specification of a model says about single states of a small design."""

import copy
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support.translate.lowering import SCENARIO, small_design

from iopermit.designs import find
from iopermit.system.machine_state import IoMapBase
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design
from iopermit.translate.model.evaluation import Evaluation, Values
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.model.nodes import (
    CONCERNED_CPU,
    CONCERNED_LONGS,
    CRASH,
    DEAD,
    GARBAGE,
    KERNEL_THREAD,
    LEAK,
    LOSS,
    NO_VIOLATION,
    USER,
    VERDICT,
)
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model

LIVELOCKS = Path(__file__).parents[2] / "support" / "designs" / "livelocks.py"
NOTHING, FIRST, ALL = 0b11, 0b10, 0b00
"""Contents of the bitmap, one bit per long: a clear bit allows."""


class Situation:
    """A state of the design in which task A runs in user mode on CPU 0."""

    def __init__(self, folder: Path, scenario: Scenario = SCENARIO) -> None:
        """Begin with nothing allowed and nothing granted."""
        design = small_design(folder)
        self.model: Model = translate(design, scenario)
        self.values: Values = copy.deepcopy(initial_values(scenario, self.model))
        self.put("task", "pc", USER)
        self.base(IoMapBase.VALID, NOTHING)

    def put(self, record: str, name: str, value: int, slot: int = 0) -> None:
        """Set a field."""
        self.values[record, name][slot] = value

    def base(self, base: IoMapBase, bitmap: int) -> None:
        """Set the base of CPU 0 and what is behind it."""
        self.put("tss", "io_map_base", base.value)
        self.put("tss", "bitmap", bitmap)

    def found(self) -> tuple[int, int, int]:
        """Return the verdict about the state, the CPU and the longs concerned."""
        evaluation = Evaluation(self.model.fields, self.values, {})
        evaluation.execute(self.model.specification)
        cpu, longs = (evaluation.value(temp) for temp in (CONCERNED_CPU, CONCERNED_LONGS))
        return evaluation.value(VERDICT), cpu, longs


FINE = (NO_VIOLATION, 0, 0)


@pytest.fixture
def state(tmp_path: Path) -> Situation:
    """Return a state in which nothing is wrong."""
    return Situation(tmp_path)


def test_nothing_allowed_and_nothing_granted(state: Situation) -> None:
    """The state that the other tests change is fine."""
    assert state.found() == FINE


def test_a_port_that_was_not_granted_is_a_leak(state: Situation) -> None:
    """The longs are those that are allowed without a grant."""
    state.base(IoMapBase.VALID, FIRST)
    assert state.found() == (LEAK, 0, 0b01)
    state.put("task", "granted", 0b01)
    assert state.found() == FINE
    state.base(IoMapBase.VALID, ALL)
    assert state.found() == (LEAK, 0, 0b10)


def test_a_granted_port_that_is_refused_is_a_loss(state: Situation) -> None:
    """The longs are those that were granted and are not allowed."""
    state.put("task", "granted", 0b11)
    assert state.found() == (LOSS, 0, 0b11)
    state.base(IoMapBase.VALID, FIRST)
    assert state.found() == (LOSS, 0, 0b10)


def test_a_leak_goes_before_a_loss(state: Situation) -> None:
    """One verdict is given for a state."""
    state.base(IoMapBase.VALID, FIRST)
    state.put("task", "granted", 0b10)
    assert state.found() == (LEAK, 0, 0b01)


def test_behind_an_invalid_base_nothing_is_allowed(state: Situation) -> None:
    """Whatever the map holds, the processor refuses."""
    state.base(IoMapBase.INVALID, ALL)
    assert state.found() == FINE
    state.put("task", "granted", 0b11)
    assert state.found() == (LOSS, 0, 0b11)


def test_a_map_that_allows_all(state: Situation) -> None:
    """With the base at a map of zeroes every port is allowed."""
    state.base(IoMapBase.ALL, NOTHING)
    assert state.found() == (LEAK, 0, 0b11)


def test_iopl_grants_every_port(state: Situation) -> None:
    """A task that was granted IOPL 3 was granted all ports, as long as it has the level."""
    state.put("task", "granted_iopl", 1)
    assert state.found() == (LOSS, 0, 0b11)
    state.base(IoMapBase.VALID, ALL)
    assert state.found() == FINE


@pytest.mark.parametrize("pc", [KERNEL_THREAD, DEAD])
def test_only_user_mode_counts(state: Situation, pc: int) -> None:
    """What the TSS allows while the task is not in user mode harms nobody."""
    state.base(IoMapBase.VALID, ALL)
    state.put("task", "pc", pc)
    assert state.found() == FINE


def test_a_cpu_that_is_switching_is_not_in_user_mode(state: Situation) -> None:
    """The current task is what it was until the switch is over."""
    state.base(IoMapBase.VALID, ALL)
    state.put("cpu", "pc", 7)
    assert state.found() == FINE


def test_an_idle_cpu_runs_no_user(state: Situation) -> None:
    """Idle tasks never come to user mode."""
    state.base(IoMapBase.VALID, ALL)
    state.put("cpu", "current", state.model.tasks + 1)
    assert state.found() == FINE


def test_the_failure_of_a_step_is_the_verdict(state: Situation) -> None:
    """A crash goes before all else."""
    state.base(IoMapBase.VALID, ALL)
    state.put("globals", "bad", CRASH)
    assert state.found()[0] == CRASH


def test_an_object_that_nothing_refers_to_is_garbage(state: Situation) -> None:
    """One in use that something refers to is not, nor is a slot that is free."""
    state.put("Map", "in_use", 1)
    assert state.found()[0] == GARBAGE
    state.put("task", "map", 1, slot=1)
    assert state.found() == FINE


def test_beyond_garbage_none_is_found(tmp_path: Path) -> None:
    """A scenario that goes on beyond it does not count it."""
    state = Situation(tmp_path, Scenario(1, 2, 2, SCENARIO.events, garbage=False))
    state.put("Map", "in_use", 1)
    assert state.found() == FINE


def test_a_leak_to_a_privileged_task_may_not_count(tmp_path: Path) -> None:
    """Where only the unprivileged count, a task that has the privilege gains nothing."""
    state = Situation(tmp_path, Scenario(1, 2, 2, SCENARIO.events, unprivileged=True))
    state.base(IoMapBase.VALID, ALL)
    state.put("task", "privileged", 1)
    assert state.found() == FINE
    state.put("task", "privileged", 0)
    assert state.found() == (LEAK, 0, 0b11)


def test_every_cpu_is_looked_at(tmp_path: Path) -> None:
    """The second CPU is found where the first is fine."""
    state = Situation(tmp_path, Scenario(2, 2, 2, SCENARIO.events))
    for slot in range(2):
        state.put("task", "pc", USER, slot)
        state.put("tss", "io_map_base", IoMapBase.VALID.value, slot)
        state.put("tss", "bitmap", NOTHING, slot)
    assert state.found() == FINE
    state.put("tss", "bitmap", FIRST, slot=1)
    assert state.found() == (LEAK, 1, 0b01)


@pytest.mark.parametrize(
    ("name", "steps"), [("Repairs", 0), ("LoadsOnTheWay", 1), ("Spoils", 1), ("Toggles", 0)]
)
def test_refusals_are_counted_where_there_is_a_handler(name: str, steps: int) -> None:
    """Models of designs with a #GP handler have the count, and a step more behind a way back."""
    model = translate(load_design(f"{LIVELOCKS}:{name}"), SCENARIO)
    assert model.kernel.refusals is not None
    assert model.kernel.refusals.high == SCENARIO.longs + 2
    labels = [step.label for step in model.steps.values()]
    assert labels.count("the task enters user mode") == steps


@pytest.mark.parametrize("name", ["linux-5.5", "linux-2.6.9"])
def test_no_other_model_has_a_count(name: str) -> None:
    """Without a #GP handler a refusal is a loss at once: nothing is counted."""
    model = translate(find(name), SCENARIO)
    assert model.kernel.refusals is None
    assert all(field.name != "refusals" for field in model.fields)
    assert all(step.label != "the task enters user mode" for step in model.steps.values())
