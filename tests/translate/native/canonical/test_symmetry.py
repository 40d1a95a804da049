"""Tests that renaming gives a state of the same orbit: only names of slots change."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest
from llvmlite import ir
from tests.support.translate.native_code import Values, call, random_values
from tests.support.translate.small_models import HEAP, small_model, step

from iopermit.translate.analyses.reductions import (
    COUNTERS,
    NO_REDUCTIONS,
    SYMMETRY,
    Reduction,
    analyse,
)
from iopermit.translate.model.model import Model
from iopermit.translate.model.nodes import KERNEL_THREAD, Field
from iopermit.translate.native.emission import emit_canonical
from iopermit.translate.native.packing import Packing

NUMBER = Field("task", "number", 3, "counter", high=7, declared=True)
TASKS, CPUS = 2, 2


def model(*, migrate: bool = True) -> Model:
    """Return a model with two tasks, two CPUs, two objects, and sequence numbers."""
    found = small_model([step(0)], cpus=CPUS, tasks=TASKS)
    found.fields.append(NUMBER)
    found.live_together = [frozenset(field for field in found.fields if field.local)]
    if not migrate:
        home = Field("task", "home", 1, high=1)
        found.fields.append(home)
        found.kernel = replace(found.kernel, home=home)
    return found


MODEL = model()


def state(seed: int) -> Values:
    """Return a random state; idle tasks are plain kernel threads."""
    values = random_values(MODEL, random.Random(seed))
    for field in MODEL.fields_of("task"):
        for slot in range(TASKS, TASKS + CPUS):
            idle = KERNEL_THREAD if field == MODEL.kernel.task_pc else 0
            values["task", field.name][slot] = idle
    return values


def renamed(values: Values, reduction: Reduction, of: Model = MODEL) -> Values:
    """Return the representative of a state with one reduction."""
    module, packing = ir.Module("test"), Packing(of)
    emit_canonical(module, of, packing, analyse(of, NO_REDUCTIONS.with_(reduction)))
    return packing.values(call(module, "canonical", packing.working(values))[1])


def permuted(values: Values, names: dict[str, tuple[int, ...]]) -> Values:
    """Return a state with the slots of some records in another order, pointers to them too.

    The new slot of each old one is ``names[record][old]``.
    """
    result: Values = {}
    for field in MODEL.fields:
        old = values[field.record, field.name]
        new = list(old)
        for slot, value in enumerate(old):
            target = names.get(field.target)
            if field.kind == "ref" and target is not None and value:
                value = target[value - 1] + 1  # noqa: PLW2901 - the pointer under its new name
            new[names[field.record][slot] if field.record in names else slot] = value
        result[field.record, field.name] = new
    return result


def orbit(values: Values) -> Iterator[Values]:
    """Yield the state under all names of its tasks, CPUs and objects."""
    for tasks, cpus, objects in itertools.product(itertools.permutations(range(2)), repeat=3):
        idle = tuple(TASKS + cpu for cpu in cpus)
        yield permuted(values, {"task": (*tasks, *idle), "cpu": cpus, "tss": cpus, HEAP: objects})


@pytest.mark.parametrize("seed", range(8))
def test_the_representative_is_in_the_orbit(seed: int) -> None:
    """Some renaming of tasks, CPUs and objects leads to it: nothing else has changed."""
    values = state(seed)
    assert renamed(values, SYMMETRY) in list(orbit(values))


def test_an_orbit_has_few_representatives() -> None:
    """The eight states that differ in names alone mostly become the same one."""
    alike = 0
    for seed in range(8):
        first, *others = (renamed(other, SYMMETRY) for other in orbit(state(seed)))
        alike += all(other == first for other in others)
    assert alike >= 6


def test_cpus_keep_their_names_where_tasks_have_a_home() -> None:
    """The number of a home is no pointer, so it could not follow its CPU."""
    still = model(migrate=False)
    for seed in range(4):
        values = state(seed) | {("task", "home"): [0, 1, 0, 1]}
        found = renamed(values, SYMMETRY, still)
        assert found["tss", "base"] == values["tss", "base"]
        assert found["cpu", "pc"] == values["cpu", "pc"]


@pytest.mark.parametrize("seed", range(4))
def test_sequence_numbers_follow_one_another(seed: int) -> None:
    """Equal numbers stay equal, different ones different, 0 is 0, and no number is left out."""
    values = state(seed)
    values["task", "number"][:TASKS] = [[3, 3], [7, 2], [0, 5], [4, 0]][seed]
    found = renamed(values, COUNTERS)
    assert found["task", "number"][:TASKS] == [[1, 1], [1, 2], [0, 1], [1, 0]][seed]
    del found["task", "number"], values["task", "number"]
    assert found == values
