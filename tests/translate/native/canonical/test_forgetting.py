"""Tests that the representative of a state has no dead fields and no open arguments."""

import copy
import random

import pytest
from llvmlite import ir
from tests.support.translate.native_code import Values, call, random_values
from tests.support.translate.small_models import (
    FLAG,
    LEVEL,
    PORTS,
    TOTAL,
    at,
    own,
    rule,
    small_model,
    step,
)

from iopermit.translate.analyses.liveness import clear_dead_variables
from iopermit.translate.analyses.reductions import (
    DEAD_FIELDS,
    LATE_ARGUMENTS,
    NO_REDUCTIONS,
    Reduction,
    analyse,
)
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import DEAD, TASK, USER, Const, Store
from iopermit.translate.native.emission import emit_canonical
from iopermit.translate.native.packing import Packing

RANGES = (3, 1, 2, 0)


def model() -> Model:
    """Return a model whose first steps read a field and the ports, and whose last needs neither."""
    found = small_model(
        [
            step(0, to=at(1)),
            step(1, Store(TOTAL, Const(0), own(FLAG)), to=at(2)),
            step(2, Store(TOTAL, Const(0), own(PORTS)), to=DEAD),
        ],
        cpus=1,
    )
    found.user_rules = [
        rule("ioperm", Store(PORTS, TASK, Const(value)), starts=0) for value in RANGES
    ]
    clear_dead_variables(found)
    return found


MODEL = model()
PACKING = Packing(MODEL)


def forgotten(values: Values, reduction: Reduction) -> Values:
    """Return the representative of a state with one reduction."""
    module = ir.Module("test")
    emit_canonical(module, MODEL, PACKING, analyse(MODEL, NO_REDUCTIONS.with_(reduction)))
    return PACKING.values(call(module, "canonical", PACKING.working(values))[1])


def state(pc: int, seed: int = 0, *, thread: bool = False) -> Values:
    """Return a random state in which both tasks are at a pc."""
    values = random_values(MODEL, random.Random(seed))
    values["task", "pc"] = [pc, pc, 2]
    values["task", "kernel_thread"] = [int(thread)] * 3
    return values


@pytest.mark.parametrize(("pc", "alive"), [(at(0), True), (at(1), True), (at(2), False)])
def test_dead_fields_are_zero(pc: int, alive: bool) -> None:
    """Behind the last read the field of every task is 0; before it is what it was."""
    values = state(pc)
    values["task", "flag"] = [1, 1, 1]
    found = forgotten(values, DEAD_FIELDS)
    assert found["task", "flag"] == [int(alive), int(alive), 1]


def test_nothing_but_dead_fields_is_cleared() -> None:
    """In user mode nothing is dead; a dead task keeps what can not be dead."""
    values = state(USER)
    assert forgotten(values, DEAD_FIELDS) == values
    values = state(DEAD)
    found = forgotten(values, DEAD_FIELDS)
    same = {key for key, value in found.items() if value == values[key]}
    assert same >= {("task", "pc"), ("task", "map"), ("cpu", "current"), ("globals", "total")}
    assert found["task", "level"][:2] == [0, 0]


def test_what_is_dead_depends_on_what_the_task_is() -> None:
    """A kernel thread between two events needs nothing here; a task in user mode all."""
    values = state(USER, thread=True)
    values["task", LEVEL.name] = [3, 3, 3]
    assert forgotten(values, DEAD_FIELDS)["task", "level"] == [0, 0, 3]


@pytest.mark.parametrize("ports", [1, 2, 3])
def test_open_arguments_are_all_the_first_range(ports: int) -> None:
    """As long as nothing has looked at the ports, every valid call is one call."""
    values = state(at(0))
    values["task", "ioperm.ports"] = [ports, 0, 0]
    found = forgotten(values, LATE_ARGUMENTS)
    assert found["task", "ioperm.ports"][:2] == [3, 0]


def test_arguments_that_were_looked_at_stay() -> None:
    """At the step that reads them they are chosen, and nothing else changes."""
    values = state(at(2))
    values["task", "ioperm.ports"] = [1, 2, 0]
    wanted = copy.deepcopy(values)
    assert forgotten(values, LATE_ARGUMENTS) == wanted
