"""Counterexamples on Debian's own kernels, and on built ones, booted in a virtual machine."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import run
from tests.support.kernel.planted.corpus import CORPUS
from tests.support.kernel.trees import require_tree
from tests.support.reproduce.counterexamples import counterexample
from tests.support.reproduce.kernels import (
    CLOUD_6_1,
    CLOUD_6_12,
    REAL_TIME_6_1,
    THOROUGH,
    require_image,
)
from tests.support.reproduce.planted import REPAIR, check_planted
from tests.support.requirements import require_tool, shared_cache

from iopermit.cli import ExitCode
from iopermit.engine.trace import SelectedMap
from iopermit.report.reproduction.facts import PreemptionPoint
from iopermit.reproduce.image.kernel_image import read_image
from iopermit.reproduce.reproduction import CONTROLS, Wanted, reproduce

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from iopermit.engine.verdict import Verdict
    from iopermit.report.reproduction.facts import BootedRun

thorough = pytest.mark.skipif(not THOROUGH, reason="many boots: `make reproduce` has them")


def preemption_leak() -> Verdict:
    """Return: B has the ports of A, who is preempted while it gives them up."""
    return counterexample("linux-6.16", "ioperm,preempt")


def got_back() -> Verdict:
    """Return: with two CPUs, A itself gets back what it gave up."""
    return counterexample("linux-6.16", "ioperm,preempt,migrate", cpus=2, tasks=1)


def silent(_: str) -> None:
    """Tell nothing."""


def require_proof(run: BootedRun, controls: tuple[BootedRun, ...]) -> None:
    """Require that a run showed the leak in the way of the counterexample, and no control did."""
    assert run.tss_shows
    assert run.guest_shows
    held = run.observations[1]
    assert held.place.startswith("task_update_io_bitmap+")
    assert held.holds > 0
    assert all(seen.tss.selected is not SelectedMap.PAST_LIMIT for seen in run.observations[:3])
    assert [read.port for read in run.reads if read.passed] == [0x80, 0x71, 0xCF8]
    assert tuple(control.position for control in controls) == CONTROLS
    assert all(control.clean for control in controls), controls


def test_the_preemption_leak_is_reproduced_with_its_controls() -> None:
    """Debian's 6.1 with preempt=full lets B, who has no privilege, read the ports of A.

    Preempted one instruction before, behind the window, or nowhere, it does not.
    """
    image = require_image(CLOUD_6_1)
    found = reproduce(preemption_leak(), Wanted(read_image(image), "preempt=full"), silent)
    assert found.outcome == "reproduced", found.reason
    require_proof(found.runs[0], found.controls)
    assert found.credentials == "uid 1000 CapEff 0000000000000000"
    assert found.kernel is not None
    assert "6.1." in found.kernel.version
    assert "preempt=full" in found.kernel.command_line
    assert "(full)" in found.kernel.preemption


def test_a_kernel_that_is_not_preempted_is_undetermined() -> None:
    """With its default command line Debian's 6.1 never preempts A there: the step is named."""
    image = require_image(CLOUD_6_1)
    found = reproduce(preemption_leak(), Wanted(read_image(image)), silent)
    assert found.outcome == "undetermined"
    assert found.reason.startswith("step 2 cannot be forced: never preempted there")
    assert found.runs[0].position is PreemptionPoint.WINDOW
    assert not found.controls


def test_a_fault_of_another_design_is_not_reproduced() -> None:
    """A fork that fails late, for its pidfd cannot be stored, costs a task of 6.1 no port."""
    image = require_image(CLOUD_6_1)
    verdict = counterexample("linux-5.4", "ioperm,fork-fails,exit")
    found = reproduce(verdict, Wanted(read_image(image)), silent)
    assert found.outcome == "not reproduced", found.reason
    assert all(read.passed for read in found.runs[0].reads)


@thorough
@pytest.mark.parametrize(
    ("package", "options"),
    [(CLOUD_6_1, "preempt=full"), (CLOUD_6_12, "preempt=full"), (REAL_TIME_6_1, "")],
)
def test_it_is_reproduced_again_and_again(package: str, options: str) -> None:
    """At least 8 of 10 boots show it, and the controls do not; real-time kernels by default."""
    wanted = Wanted(read_image(require_image(package)), options, runs=10)
    began = time.monotonic()
    found = reproduce(preemption_leak(), wanted, silent)
    seconds = time.monotonic() - began
    sys.stdout.write(f"{package}: {found.successes} of 10, {seconds:.0f} s with the controls\n")
    assert found.outcome == "reproduced", found.reason
    assert found.successes >= 8
    require_proof(next(run for run in found.runs if run.shown), found.controls)


@thorough
@pytest.mark.parametrize("package", [CLOUD_6_1, CLOUD_6_12])
def test_a_task_gets_back_what_it_gave_up(package: str) -> None:
    """With two CPUs, A is preempted, moved, completes its call, and has its ports back at home."""
    wanted = Wanted(read_image(require_image(package)), "preempt=full", runs=10)
    found = reproduce(got_back(), wanted, silent)
    assert found.outcome == "reproduced", found.reason
    assert found.successes >= 8
    require_proof(next(run for run in found.runs if run.shown), found.controls)


@thorough
def test_iopl_leaks_as_ioperm_does() -> None:
    """The map that allows every port, which iopl(3) selects, stays selected for B likewise."""
    verdict = counterexample("linux-6.16", "iopl,preempt")
    found = reproduce(
        verdict, Wanted(read_image(require_image(CLOUD_6_12)), "preempt=full"), silent
    )
    assert found.outcome == "reproduced", found.reason
    assert found.runs[0].observations[-1].tss.selected is SelectedMap.ALL_PORTS


def checked(
    name: str, capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Check Debian's 6.12 with a planted fault; return the verdict, with what was reproduced."""
    for tool in ("qemu-system-x86_64", "gcc"):
        require_tool(tool)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache()))
    ran = run(capsys, *check_planted(require_tree("6.12", whole=True), name, folder))
    assert ran.status == ExitCode.VIOLATED, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    seen = found["reproduction"]
    boot = seen["runs"][0]
    sys.stdout.write(f"{name}: {seen['outcome']}, {boot['seconds']} s, {boot['crash']}\n")
    return found


@thorough
@pytest.mark.parametrize(
    "name",
    [
        "flags-of-the-next-task",
        "map-lost-with-the-level",
        "flag-only",
        "failed-fork-takes-the-ports",
    ],
)
def test_a_planted_fault_is_found_and_shown(
    name: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`check --kernel --patch --reproduce` finds a fault, and shows it on the kernel it builds.

    Every IN goes wrong there, and none on the kernel without the fault. The last one needs a fork
    that fails late, which a bad address for the pidfd makes it do, without any injected fault.
    """
    found = checked(name, capsys, tmp_path, monkeypatch)
    violation, seen = found["violation"], found["reproduction"]
    assert violation["kind"] in CORPUS[name].kinds
    assert seen["outcome"] == "reproduced", seen["reason"]
    (boot,) = seen["runs"]
    passed = [read["passed"] for read in boot["reads"]]
    assert passed == [violation["kind"] == "leak"] * 3
    assert boot["tss_shows"]
    control = seen["repaired"]["run"]
    assert control["forced"]
    assert not control["shown"]
    assert [read["passed"] for read in control["reads"]] == [not each for each in passed]


@thorough
@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("first-ioperm-reads-null", ("BUG: kernel NULL pointer dereference", "ksys_ioperm")),
        ("no-iopl-branch", ("WARNING: CPU: 0", "native_tss_update_io_bitmap")),
    ],
)
def test_a_planted_crash_is_told_on_the_console(
    name: str,
    told: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An oops and a WARNING that the check finds are told by the booted kernel, with the place.

    The kernel without the fault tells of none.
    """
    found = checked(name, capsys, tmp_path, monkeypatch)
    seen = found["reproduction"]
    assert found["violation"]["kind"] == "crash"
    assert seen["outcome"] == "reproduced", seen["reason"]
    assert all(part in seen["runs"][0]["crash"] for part in told)
    control = seen["repaired"]["run"]
    assert control["forced"]
    assert control["crash"] == ""


@thorough
def test_tasks_left_alone_hit_what_needs_no_preemption(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a debugger every attempt hits a leak of each switch, and none without the fault."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache()))
    tree, saved = require_tree("6.12", whole=True), tmp_path / "leak.json"
    planted = tmp_path / "flags-of-the-next-task.patch"
    command = check_planted(tree, planted.stem, tmp_path)
    command[command.index("--reproduce") :] = ["-q", "--save", str(saved)]
    assert run(capsys, *command).status == ExitCode.VIOLATED
    patches = ("--patch", REPAIR, "--patch", planted)
    for some, hits in ((patches, 50), (patches[:2], 0)):
        ran = run(capsys, "reproduce", saved, "--kernel", tree, *some, "--free", "50", "--json")
        found = json.loads(ran.out)
        assert (found["free"]["attempts"], found["free"]["hits"]) == (50, hits)
        assert ran.status == (ExitCode.VIOLATED if hits else ExitCode.HOLDS)
