"""Tests of the obligations that names do not matter: discharged, and not where one is preferred."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario
from iopermit.translate.frontend.load import load_design
from iopermit.translate.model.builder import binary, equal
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import (
    CPU,
    LEAK,
    TASK,
    VERDICT,
    Check,
    Const,
    If,
    Let,
    Load,
    Stmt,
)
from iopermit.translate.translation import translate

renaming = pytest.importorskip("iopermit.translate.obligations.renaming", reason="needs z3")

DESIGNS: Final = Path(__file__).parents[2] / "support" / "designs"
TWO_CPUS: Final = Scenario(
    2, 2, 1, frozenset({Event.IOPERM, Event.FORK, Event.EXIT, Event.MIGRATE})
)
THREE_TASKS: Final = Scenario(1, 3, 1, frozenset({Event.IOPERM, Event.PREEMPT}))


def model_of(name: str, scenario: Scenario) -> Model:
    """Return the model of a shipped design or of a test's."""
    return translate(load_design(f"{DESIGNS}/{name}" if ".py" in name else name), scenario)


def failures(model: Model) -> list[str]:
    """Return the obligations that fail for a model."""
    return list(renaming.Renamings(model).failures())


@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        ("lost_marks.py:Marked", THREE_TASKS),
        ("shared_objects.py:ReusedAddress", TWO_CPUS),
        ("linux-2.6.8", TWO_CPUS),
        ("linux-5.5", replace(TWO_CPUS, events=frozenset({Event.IOPERM, Event.MIGRATE}))),
    ],
)
def test_names_matter_to_no_transition(name: str, scenario: Scenario) -> None:
    """Tasks, CPUs, heap objects and sequence numbers are alike to every step and event."""
    assert failures(model_of(name, scenario)) == []


def test_exchanges_reach_every_order() -> None:
    """Each two tasks and CPUs, neighbouring heap slots and neighbouring numbers are exchanged."""
    model = model_of("linux-5.5", TWO_CPUS)
    names = [each.name for each in renaming.exchanges(model, symmetry=True, counters=True)]
    slots = model.counts["IoBitmap"]
    assert names[:2] == ["tasks 0 and 1", "CPUs 0 and 1"]
    assert names[2] == "slots 0 and 1 of IoBitmap"
    assert f"slots {slots - 2} and {slots - 1} of IoBitmap" in names
    assert "numbers 1 and 2" in names


def test_cpus_are_not_exchanged_where_tasks_stay_on_theirs() -> None:
    """Without migration a task has a home: its CPU has a name that matters."""
    model = model_of("linux-2.6.8", replace(TWO_CPUS, events=frozenset({Event.IOPERM})))
    names = [each.name for each in renaming.exchanges(model, symmetry=True, counters=True)]
    assert not [name for name in names if name.startswith("CPUs")]


def _first_task(model: Model) -> tuple[Stmt, ...]:
    first = equal(Load(model.kernel.current, CPU), 1)
    return (Check(first, "only the second task may"),)


def _first_cpu(_: Model) -> tuple[Stmt, ...]:
    return (Check(equal(CPU, 0), "only the second CPU may"),)


def _low_object(model: Model) -> tuple[Stmt, ...]:
    pointer = next(f for f in model.fields_of("task") if f.target == "BitmapBlock" and not f.local)
    low = binary("lt", Load(pointer, TASK), Const(2))
    return (Check(low, "not the first object"),)


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        (_first_task, "tasks 0 and 1"),
        (_first_cpu, "CPUs 0 and 1"),
        (_low_object, "slots 0 and 1 of BitmapBlock"),
    ],
)
def test_a_step_that_prefers_a_name_is_found(
    fault: Callable[[Model], tuple[Stmt, ...]], names: str
) -> None:
    """A step that fails for one task, CPU or object, and for no other, is not the same renamed."""
    model = model_of("linux-2.6.8", TWO_CPUS)
    step = next(s for s in model.steps.values() if s.context == "task" and s.site is not None)
    step.body = (*fault(model), *step.body)
    assert step.site is not None
    place = step.site.short
    assert any(place in failure and names in failure for failure in failures(model))


def test_an_order_of_sequence_numbers_is_found() -> None:
    """A step that asks which of two sequence numbers is larger is not the same renamed."""
    model = model_of("linux-5.5", TWO_CPUS)
    numbers = [f for f in model.fields if f.kind == "counter" and f.record == "tss"]
    step = next(s for s in model.steps.values() if s.context == "cpu" and s.site is not None)
    larger = binary("lt", Const(1), Load(numbers[0], CPU))
    step.body = (Check(larger, "a later number"), *step.body)
    found = list(renaming.Renamings(model, symmetry=False).failures())
    assert any("numbers 1 and 2" in failure for failure in found)


def test_a_specification_that_prefers_a_name_is_found() -> None:
    """A check of states that looks at the first task only is not the same renamed."""
    model = model_of("lost_marks.py:Marked", THREE_TASKS)
    pc = Load(model.kernel.task_pc, Const(0))
    wrong = If(equal(pc, 1), (Let(VERDICT, Const(LEAK)),))
    model.specification = (*model.specification, wrong)
    assert any(f.startswith("the specification: tasks 0 and") for f in failures(model))
