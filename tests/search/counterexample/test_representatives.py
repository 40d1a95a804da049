"""Tests that names of tasks and CPUs do not matter where a schedule is followed."""

from __future__ import annotations

import itertools
import random

import pytest

from iopermit.designs import find
from iopermit.search.check import check
from iopermit.search.counterexample.representatives import _permuted, representatives
from iopermit.search.exploration.native import NativeFunctions, initial_state
from iopermit.system.events import Event, all_events
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import Reductions
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.native.jit import compile_model
from iopermit.translate.translation import translate

UNLIKE = Scenario(2, 3, 1, all_events() - {Event.FORK_FAILS})


def compiled(name: str, scenario: Scenario) -> tuple[NativeFunctions, list[int]]:
    """Return the functions of a design, and a state after 40 random transitions."""
    design, rng = find(name), random.Random(name)
    model = translate(design, scenario)
    native = NativeFunctions(compile_model(model, Reductions(), optimised=False))
    state = initial_state(native, initial_values(scenario, model))
    for _ in range(40):
        following = [s for _, s in native.successors(state)]
        state = rng.choice(following) if following else state
    return native, native.unpack(state)


@pytest.mark.parametrize("name", ["linux-2.6.9", "linux-5.4", "linux-6.16"])
def test_all_names_of_a_state_have_the_same_representatives(name: str) -> None:
    """Whichever names tasks and CPUs have, the representatives of the state are the same."""
    native, words = compiled(name, UNLIKE)
    expected = representatives(native, native.pack(words))
    assert native.canonical(native.pack(words)).tobytes() in expected
    for tasks, cpus in itertools.product(
        itertools.permutations(range(3)), itertools.permutations(range(2))
    ):
        idle = tuple(3 + cpu for cpu in cpus)
        renamed = _permuted(native, words, {"task": tasks + idle, "cpu": cpus, "tss": cpus})
        assert representatives(native, native.pack(renamed)) == expected


def test_a_renamed_state_behaves_alike() -> None:
    """Under other names a state has as many successors, and the same representatives of them."""
    native, words = compiled("linux-5.4", UNLIKE)
    orders = {"task": (2, 0, 1, 4, 3), "cpu": (1, 0), "tss": (1, 0)}
    renamed = native.pack(_permuted(native, words, orders))
    assert renamed != native.pack(words)

    def successors(state: object) -> list[list[bytes]]:
        return sorted(sorted(representatives(native, s)) for _, s in native.successors(state))  # type: ignore[arg-type]  # a stored state

    assert successors(renamed) == successors(native.pack(words))


def test_a_task_bound_to_its_cpu_is_left_there() -> None:
    """Where tasks cannot migrate, CPUs keep their names: a task's CPU is a plain number."""
    scenario = Scenario(2, 2, 1, UNLIKE.events - {Event.MIGRATE})
    native, words = compiled("linux-6.16", scenario)
    assert 1 <= len(representatives(native, native.pack(words))) <= 2


def test_a_schedule_may_come_to_another_representative() -> None:
    """A leak of linux-2.6.9, whose tasks nothing tells apart, is confirmed at full size."""
    verdict = check(find("linux-2.6.9"), UNLIKE)
    assert verdict.verdict == "violated"
    assert verdict.search.confirmed_full_size
