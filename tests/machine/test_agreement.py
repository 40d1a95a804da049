"""Random scripts give the same results on a real Linux, on the designs, and on each back end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.support.machine.kvm import require_kvm
from tests.support.machine.reference import (
    once_per_session,
    run_scripts_on_linux,
    script_program,
    scripts,
    scripts_on_linux,
)
from tests.support.machine.running import iopermit_run
from tests.support.machine.scripts import EXEC, Script, shrink, write_scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

COMPARED = 150
"""Number of scripts by which designs are compared with each other."""
KVM_STRIDE = 8
"""The KVM back end executes one script in so many: without hardware support KVM is slow."""
SECONDS = 500
"""After which a run of scripts is given up."""
PORTS_END = 65536
"""One more than the highest port."""
LONGEST_WITNESS = 4
"""Steps that show the fault of linux-v2-06."""

Results = dict[int, tuple[str, ...]]
"""By the number of a script: the result of each of its steps."""


def results(output: str) -> Results:
    """Read what the program of the scripts printed."""
    lines = (line.split() for line in output.splitlines())
    return {int(number): tuple(values) for number, *values in lines}


OWN_FILES: Final = ("--as-root-files",)
"""Where the tests run as root, nobody else may read what is in their temporary folders."""


def run_scripts(
    chosen: Sequence[Script], folder: Path, *options: str, program: Path | None = None
) -> Results:
    """Execute scripts under `iopermit run`."""
    path = folder / "scripts.txt"
    write_scripts(chosen, path)
    limit = ("--timeout", str(SECONDS))
    ran = iopermit_run(*options, *limit, *OWN_FILES, program or script_program(), path)
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
    """Return a shortest script that still differs, as a table of its steps and both results.

    If results were left out, only those that were compared are shown, beside the last steps.
    """

    def differs(candidates: Sequence[Script]) -> list[bool]:
        numbered = [Script(number, each.steps) for number, each in enumerate(candidates)]
        first, second = ask(numbered)
        return [first.get(each.number) != second.get(each.number) for each in numbered]

    smallest, _ = shrink(script, differs)
    first, second = ask([smallest])
    one, other = first[smallest.number], second[smallest.number]
    rows = zip(smallest.steps[-len(one) :], one, other, strict=True)
    return "\n".join(f"{step:30} {one:8} {other:8}" for step, one, other in rows)


def results_on_linux_616(cpus: int, folder: Path) -> Results:
    """Return the results of all scripts on linux-6.16 and Unicorn, which run once."""

    def make() -> str:
        path = folder / "all.txt"
        write_scripts(scripts(cpus), path)
        options = ("--design", "linux-6.16", "--cpus", str(cpus))
        ran = iopermit_run(*options, *OWN_FILES, script_program(), path)
        assert (ran.status, ran.errors) == (0, ""), ran.errors
        return ran.output

    return results(once_per_session(f"linux-616-{cpus}", make))


def without_differences(
    all_results: Results, chosen: Sequence[Script], *, real_iopl: bool
) -> Results:
    """Leave out what may differ between designs.

    CLI and STI: they fault with emulated iopl(3), since v5.16 they do nothing, with real iopl they
    work. An access that runs past port 65535: real iopl(3) lets it pass, as the processor looks at
    no map then; emulated iopl(3) does not, because a byte of ones ends its map of zeros.
    """
    kept = {}
    for script in chosen:
        pairs = zip(script.steps, all_results[script.number], strict=True)
        kept[script.number] = tuple(
            value for step, value in pairs if not may_differ(step, real_iopl=real_iopl)
        )
    return kept


def may_differ(step: str, *, real_iopl: bool) -> bool:
    """Tell whether the result of a step may depend on the design."""
    kind, *arguments = step.partition(":")[2].split(",")
    if kind in ("in", "out", "ins", "outs"):
        width, port = int(arguments[0]), int(arguments[1])
        return real_iopl and port + width > PORTS_END
    return kind in ("cli", "sti")


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

    assert_agreement(chosen, expected, results_on_linux_616(cpus, tmp_path), ask)


def test_back_ends_agree(tmp_path: Path) -> None:
    """The processor itself, under KVM, allows and refuses what the check in Python does."""
    require_kvm()
    chosen = scripts(1)[::KVM_STRIDE]

    def ask(candidates: Sequence[Script]) -> tuple[Results, Results]:
        run = [run_scripts(candidates, tmp_path, "--cpu", cpu) for cpu in ("unicorn", "kvm")]
        return run[0], run[1]

    on_kvm = run_scripts(chosen, tmp_path, "--cpu", "kvm")
    assert len(on_kvm) == len(chosen)
    assert_agreement(chosen, results_on_linux_616(1, tmp_path), on_kvm, ask)


@pytest.mark.parametrize(
    "design",
    ["linux-5.5", "linux-5.7", "linux-5.8", "linux-5.8-xen-pv", "linux-6.16+preempt_off"],
)
def test_designs_with_emulated_iopl_agree(design: str, tmp_path: Path) -> None:
    """The designs from 5.5 on agree about everything but CLI and STI, which 5.16 skips."""
    compare_with_linux_616(design, tmp_path)


@pytest.mark.parametrize("design", ["linux-5.4", "linux-v2-06-reviewed+prev_max"])
def test_designs_with_real_iopl_agree(design: str, tmp_path: Path) -> None:
    """Those up to 5.4 that hold agree but for CLI, STI, the end of the ports, iopl(3) and exec."""
    compare_with_linux_616(design, tmp_path, real_iopl=True)


@pytest.mark.parametrize("design", ["linux-2.6.8", "linux-2.6.10-L1"])
def test_designs_for_i386_agree(design: str, tmp_path: Path) -> None:
    """The designs of 32-bit kernels that hold agree, too, executing a 32-bit program."""
    compare_with_linux_616(design, tmp_path, kind="-m32", real_iopl=True)


def compare_with_linux_616(
    other: str, folder: Path, *, kind: str = "-m64", real_iopl: bool = False
) -> None:
    """Compare the results of scripts on a design with those on linux-6.16.

    Args:
        other: the design.
        folder: for files.
        kind: compiles the program that `other` runs.
        real_iopl: whether `other` sets the processor's IOPL.
    """
    chosen = scripts(1)[:COMPARED]
    if real_iopl:
        chosen = [each for each in chosen if not has_exec_after_iopl(each)]
    program = script_program(kind)

    def ask(candidates: Sequence[Script]) -> tuple[Results, Results]:
        return (
            comparable(run_scripts(candidates, folder, "--design", "linux-6.16"), candidates),
            comparable(run_on_other(candidates), candidates),
        )

    def run_on_other(candidates: Sequence[Script]) -> Results:
        return run_scripts(candidates, folder, "--design", other, program=program)

    def comparable(found: Results, candidates: Sequence[Script]) -> Results:
        return without_differences(found, candidates, real_iopl=real_iopl)

    expected = results_on_linux_616(1, folder)
    found = run_on_other(chosen)
    assert_agreement(chosen, comparable(expected, chosen), comparable(found, chosen), ask)


def has_exec_after_iopl(script: Script) -> bool:
    """Tell whether a task may execute a program while it has iopl(3), which real iopl loses."""
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
        return (
            without_differences(right, candidates, real_iopl=True),
            without_differences(wrong, candidates, real_iopl=True),
        )

    kept = [each for each in chosen if not has_exec_after_iopl(each)]
    with pytest.raises(pytest.fail.Exception, match="scripts differ; shrunk") as failure:
        assert_agreement(kept, *ask(kept), ask)
    table = [row.split() for row in str(failure.value).splitlines()[1:]]
    assert len(table) <= LONGEST_WITNESS, table
    assert table[-1][1:] == ["-", "+"]
