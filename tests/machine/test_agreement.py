"""Random scripts give the same results on a real Linux, on the designs, and on each back end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.machine.kvm import require_kvm
from tests.machine.reference import (
    run_scripts_on_linux,
    script_program,
    scripts,
    scripts_on_linux,
)
from tests.machine.running import iopermit_run
from tests.machine.scripts import EXEC, Script, shrink, write_scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

COMPARED = 300
"""Number of scripts by which designs are compared with each other."""
LONGEST_WITNESS = 4
"""Steps that show the fault of linux-v2-06."""

Results = dict[int, tuple[str, ...]]
"""By the number of a script: the result of each of its steps."""


def results(output: str) -> Results:
    """Read what the program of the scripts printed."""
    lines = (line.split() for line in output.splitlines())
    return {int(number): tuple(values) for number, *values in lines}


def run_scripts(
    chosen: Sequence[Script], folder: Path, *options: str, program: Path | None = None
) -> Results:
    """Execute scripts under `iopermit run`."""
    path = folder / "scripts.txt"
    write_scripts(chosen, path)
    ran = iopermit_run(*options, program or script_program(), path)
    assert (ran.status, ran.errors) == (0, ""), ran.errors
    return results(ran.output)


def assert_agreement(
    chosen: Sequence[Script],
    expected: Results,
    found: Results,
    ask: Callable[[Sequence[Script]], tuple[Results, Results]],
) -> None:
    """Fail with a shortest script whose results differ, if there is any."""
    differing = [each for each in chosen if expected.get(each.number) != found.get(each.number)]
    if not differing:
        return
    shortest = shortest_difference(min(differing, key=lambda each: len(each.steps)), ask)
    pytest.fail(f"{len(differing)} of {len(chosen)} scripts differ; shrunk:\n{shortest}")


def shortest_difference(
    script: Script, ask: Callable[[Sequence[Script]], tuple[Results, Results]]
) -> str:
    """Return a shortest script that still differs, as a table of its steps and both results."""

    def differs(candidates: Sequence[Script]) -> list[bool]:
        numbered = [Script(number, each.steps) for number, each in enumerate(candidates)]
        first, second = ask(numbered)
        return [first.get(each.number) != second.get(each.number) for each in numbered]

    smallest, _ = shrink(script, differs)
    first, second = ask([smallest])
    rows = zip(smallest.steps, first[smallest.number], second[smallest.number], strict=True)
    return "\n".join(f"{step:30} {one:8} {other:8}" for step, one, other in rows)


def without(results_of_all: Results, chosen: Sequence[Script], kinds: tuple[str, ...]) -> Results:
    """Leave out the results of steps of some kinds."""
    kept = {}
    for script in chosen:
        pairs = zip(script.steps, results_of_all[script.number], strict=True)
        kept[script.number] = tuple(
            value for step, value in pairs if step.partition(":")[2].split(",")[0] not in kinds
        )
    return kept


@pytest.mark.parametrize("cpus", [1, 2])
def test_a_real_linux_agrees(cpus: int, tmp_path: Path) -> None:
    """Each script gives the same results and error numbers on Debian's kernel as on linux-6.16."""
    chosen = scripts(cpus)
    ended = scripts_on_linux(cpus)
    assert ended.status == 0
    expected = results(ended.output)
    assert len(expected) == len(chosen)
    options = ("--design", "linux-6.16", "--cpus", str(cpus))

    def ask(candidates: Sequence[Script]) -> tuple[Results, Results]:
        real = run_scripts_on_linux(candidates, cpus=cpus)
        return results(real.output), run_scripts(candidates, tmp_path, *options)

    assert_agreement(chosen, expected, run_scripts(chosen, tmp_path, *options), ask)


def test_back_ends_agree(tmp_path: Path) -> None:
    """The processor itself, under KVM, allows and refuses what the check in Python does."""
    require_kvm()
    chosen = scripts(1)

    def ask(candidates: Sequence[Script]) -> tuple[Results, Results]:
        run = [run_scripts(candidates, tmp_path, "--cpu", cpu) for cpu in ("unicorn", "kvm")]
        return run[0], run[1]

    assert_agreement(chosen, *ask(chosen), ask)


@pytest.mark.parametrize(
    "design",
    [
        *("linux-5.5", "linux-5.5-xen-pv", "linux-5.7", "linux-5.8", "linux-5.8-xen-pv"),
        "linux-6.16+preempt_off",
    ],
)
def test_designs_with_emulated_iopl_agree(design: str, tmp_path: Path) -> None:
    """The designs from 5.5 on agree about everything but CLI and STI, which 5.16 skips."""
    compare_designs("linux-6.16", design, ("cli", "sti"), tmp_path)


@pytest.mark.parametrize("design", ["linux-5.4", "linux-v2-06-reviewed+prev_max"])
def test_designs_with_real_iopl_agree(design: str, tmp_path: Path) -> None:
    """The designs up to 5.4 that hold agree too, but for CLI and STI, and iopl(3) after exec."""
    compare_designs("linux-6.16", design, ("cli", "sti"), tmp_path, exec_keeps_iopl=False)


@pytest.mark.parametrize("design", ["linux-2.6.8", "linux-2.6.10-L1"])
def test_designs_for_i386_agree(design: str, tmp_path: Path) -> None:
    """The designs of 32-bit kernels that hold agree, executing a 32-bit program."""
    program = script_program("-m32")
    kinds = ("cli", "sti")
    compare_designs("linux-6.16", design, kinds, tmp_path, program, exec_keeps_iopl=False)


def compare_designs(
    one: str,
    other: str,
    kinds: tuple[str, ...],
    folder: Path,
    program: Path | None = None,
    *,
    exec_keeps_iopl: bool = True,
) -> None:
    """Compare the results of scripts on two designs, apart from some kinds of steps."""
    chosen = scripts(1)[:COMPARED]
    if not exec_keeps_iopl:
        chosen = [each for each in chosen if not has_exec_after_iopl(each)]

    def ask(candidates: Sequence[Script]) -> tuple[Results, Results]:
        run = [
            run_scripts(candidates, folder, "--design", design, program=program)
            for design in (one, other)
        ]
        return without(run[0], candidates, kinds), without(run[1], candidates, kinds)

    assert_agreement(chosen, *ask(chosen), ask)


def has_exec_after_iopl(script: Script) -> bool:
    """Tell whether a task may execute a program while it has iopl(3)."""
    calls = [step.partition(":")[2] for step in script.steps]
    return EXEC in calls and "iopl,3" in calls[: calls.index(EXEC)]


def test_a_wrong_design_is_found_and_shrunk(tmp_path: Path) -> None:
    """On linux-v2-06 scripts differ, and a shortest one shows its fault in four steps.

    A task opens many ports and another one, made before, opens one: then it may use all. That is
    the fault of patch V2 06/16.
    """
    chosen = scripts(1)[:COMPARED]

    def ask(candidates: Sequence[Script]) -> tuple[Results, Results]:
        right, wrong = (
            run_scripts(candidates, tmp_path, "--design", design)
            for design in ("linux-6.16", "linux-v2-06")
        )
        kinds = ("cli", "sti")
        return without(right, candidates, kinds), without(wrong, candidates, kinds)

    right, wrong = ask(chosen)
    differing = [each for each in chosen if right[each.number] != wrong[each.number]]
    assert differing
    with pytest.raises(pytest.fail.Exception, match="scripts differ; shrunk") as failure:
        assert_agreement(differing, right, wrong, ask)
    table = str(failure.value).splitlines()[1:]
    assert len(table) <= LONGEST_WITNESS, table
    assert [row.split()[1:] for row in table][-1] == ["-", "+"]
