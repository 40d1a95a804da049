"""Tests of the random scripts and of their shrinking, without any kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.machine.scripts import PORTS, TASKS, Script, random_script, shrink

if TYPE_CHECKING:
    from collections.abc import Sequence


def has_leak(script: Script) -> bool:
    """Tell whether B uses a port after A, which opened all, forked it (in this order or not)."""
    steps = script.steps
    return (
        "A:ioperm,0,65536,1" in steps
        and "A:fork,B" in steps
        and any(step.startswith("B:") and ",128" in step for step in steps)
    )


def test_a_seed_always_gives_the_same_script() -> None:
    """Scripts depend on nothing but their seed, and different seeds give different scripts."""
    scripts = [random_script(seed) for seed in range(300)]
    assert scripts == [random_script(seed) for seed in range(300)]
    assert len({script.steps for script in scripts}) == 300


def test_scripts_use_everything() -> None:
    """Among 2,000 scripts every kind of step, width, port and task occurs."""
    steps = [step for seed in range(2000) for step in random_script(seed).steps]
    calls = [step.partition(":")[2].split(",") for step in steps]
    kinds = {kind for kind, *_ in calls}
    assert kinds >= {"ioperm", "iopl", "fork", "exit", "exec", "drop", "yield", "cpu"}
    accesses = {tuple(c[:2]) for c in calls if c[0] in ("in", "out", "ins", "outs")}
    assert accesses == {(k, w) for k in ("in", "out", "ins", "outs") for w in "124"}
    assert {int(c[2]) for c in calls if c[0] == "out"} == set(PORTS)
    assert {step[0] for step in steps} == set(TASKS)


def test_shrinking_finds_a_shortest_script() -> None:
    """Of a long script with the property only the steps that it needs are left, made simpler."""
    noise = random_script(3).steps
    needed = ("A:ioperm,0,65536,1", "A:fork,B", "B:outs,4,128,2")
    steps = (*noise, needed[0], *noise, needed[1], *noise, needed[2], *noise)
    asked = []

    def fails(scripts: Sequence[Script]) -> list[bool]:
        asked.append(len(scripts))
        return [has_leak(script) for script in scripts]

    smallest, rounds = shrink(Script(0, steps), fails)
    assert sorted(smallest.steps) == sorted((*needed[:2], "B:out,1,128"))
    assert rounds == len(asked) <= 40


def test_a_script_that_cannot_be_shortened_is_kept() -> None:
    """If every shorter script is all right, the script stays as it is."""
    script = Script(7, ("A:iopl,3", "A:cli"))
    assert shrink(script, lambda others: [False] * len(others)) == (script, 1)
