"""Counterexamples on kernels that are built of a vanilla 5.4 tree: B11, and the review of 2019.

They need a whole tree of Linux 5.4, in the directory that $IOPERMIT_KERNEL_TREES names.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import run
from tests.support.kernel.edits_5_4 import B11_REPAIR, MARK, REMEDY, V2_06, write_patches
from tests.support.kernel.trees import vanilla_tree
from tests.support.reproduce.kernels import THOROUGH
from tests.support.requirements import require_tool, shared_cache

from iopermit.cli import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

pytestmark = pytest.mark.skipif(not THOROUGH, reason="kernels are built: `make reproduce` has them")
LATE_FAILURE = ("--events", "ioperm,fork-fails,exit", "--without", "preempt", "--cpus", "1")
REVIEWED = ("--events", "ioperm", "--cpus", "1", "--tasks", "2", "--longs", "2")
"""What shows the fault that the review found, and what its remedy leaves."""
UNPRIVILEGED = "uid 1000 CapEff 0000000000000000"


@dataclass
class Booting:
    """A tree, a folder for files, and where the command's output is read."""

    tree: Path
    folder: Path
    capsys: pytest.CaptureFixture[str]

    def check(self, *scenario: str, patches: Sequence[Path] = (), control: Path) -> dict[str, Any]:
        """Check the tree with patches, and reproduce what is found, with a repair as control."""
        options = [str(word) for patch in patches for word in ("--patch", patch)]
        command = ("check", "--kernel", self.tree, *options, *scenario, "--reproduce")
        ran = run(self.capsys, *command, "--control-patch", control, "--json")
        assert ran.status == ExitCode.VIOLATED, ran.err
        found: dict[str, Any] = json.loads(ran.out)
        return found

    def design(
        self, design: str, *scenario: str, kind: str, patches: Sequence[Path] = (), control: Path
    ) -> dict[str, Any]:
        """Force what a design does, the first violation of a kind, on the kernel of the tree."""
        file = self.folder / "saved.json"
        ran = run(self.capsys, "check", design, *scenario, "--all", "-q", "--save", file)
        assert ran.status == ExitCode.VIOLATED, ran.err
        saved = json.loads(file.read_text())
        kinds = [each["violation"]["kind"] for each in (saved, *saved["also"])]
        options = [str(word) for patch in patches for word in ("--patch", patch)]
        number = kinds.index(kind) + 1
        command = ("reproduce", file, "--violation", number, "--kernel", self.tree, *options)
        ran = run(self.capsys, *command, "--control-patch", control, "--json")
        assert ran.status == ExitCode.VIOLATED, ran.err
        found: dict[str, Any] = json.loads(ran.out)
        return found


@pytest.fixture
def booting(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Booting:
    """Return a whole tree of Linux 5.4; kernels of it are kept between runs."""
    for tool in ("qemu-system-x86_64", "gcc"):
        require_tool(tool)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache()))
    return Booting(vanilla_tree("5.4", whole=True), tmp_path, capsys)


def passed(boot: dict[str, Any]) -> dict[int, bool]:
    """Return for each harmless port that was read whether IN passed."""
    return {read["port"]: read["passed"] for read in boot["reads"]}


def require_shown(seen: dict[str, Any], ports: Sequence[int], *, leak: bool) -> None:
    """Require that some ports went wrong, in the TSS and by IN, and none with the repair."""
    (boot,) = seen["runs"]
    control = seen["repaired"]["run"]
    sys.stdout.write(f"{seen['outcome']}, {boot['seconds']} s, control {control['seconds']} s\n")
    assert seen["outcome"] == "reproduced", seen["reason"]
    assert "Linux version 5.4." in seen["kernel"]["version"]
    assert boot["tss_shows"]
    assert passed(boot) == dict.fromkeys(ports, leak)
    assert control["forced"]
    assert not control["shown"]
    assert not control["tss_shows"]
    assert passed(control) == dict.fromkeys(ports, not leak)


def test_a_late_failure_of_fork_costs_the_parent_its_ports(booting: Booting) -> None:
    """B11: the check finds the loss in the tree's C, and every IN of the parent is refused.

    With the flag taken from the child, and the TSS left alone, none is.
    """
    (repair,) = write_patches(booting.tree, booting.folder, b11=B11_REPAIR)
    found = booting.check(*LATE_FAILURE, "--tasks", "2", "--longs", "1", control=repair)
    assert found["violation"]["kind"] == "loss"
    require_shown(found["reproduction"], (0x80, 0x71, 0xCF8), leak=False)


def test_a_late_failure_of_fork_gives_others_the_ports(booting: Booting) -> None:
    """B11: after it the parent opens ports that no switch closes, and C, without privilege, reads.

    The design has the schedule: the parent must have had a map, without any port, before.
    """
    (repair,) = write_patches(booting.tree, booting.folder, b11=B11_REPAIR)
    bounds = (*LATE_FAILURE, "--tasks", "3", "--longs", "1")
    seen = booting.design("linux-5.4", *bounds, kind="leak", control=repair)
    require_shown(seen, (0x80, 0x71, 0xCF8), leak=True)
    assert seen["verdict"]["violation"]["task"] == "C"
    assert seen["credentials"] == UNPRIVILEGED


def test_the_fault_that_the_review_found_is_shown(booting: Booting) -> None:
    """A opens every port and B few; with patch V2 06/16 B reads those of A, by its C as checked.

    With the review's remedy behind it, it does not.
    """
    patch, remedy = write_patches(booting.tree, booting.folder, v2_06=V2_06, remedy=REMEDY)
    found = booting.check(*REVIEWED, patches=[patch], control=remedy)
    assert found["violation"]["kind"] == "leak"
    assert found["kernel"]["without_patches"]["origin"] == "introduced"
    require_shown(found["reproduction"], (0x80, 0x71, 0xCF8), leak=True)


def test_the_example_of_the_review_is_shown(booting: Booting) -> None:
    """A opens every port, B port 128 alone, and reads one above 191; with the remedy it cannot."""
    patch, remedy = write_patches(booting.tree, booting.folder, v2_06=V2_06, remedy=REMEDY)
    seen = booting.design("linux-v2-06", *REVIEWED, kind="leak", patches=[patch], control=remedy)
    texts = [(step["task"], step["text"]) for step in seen["verdict"]["trace"]]
    called = [each for each in texts if each[1].startswith("ioperm(0") or "128, 1" in each[1]]
    assert called == [("A", "ioperm(0, 65536, 1)"), ("B", "ioperm(128, 1, 1)")]
    require_shown(seen, (0xCF8,), leak=True)


def test_what_the_remedy_leaves_is_shown(booting: Booting) -> None:
    """B2: with the remedy A reads what B opened, whose dirty mark nobody raised.

    With the mark stored, too, it does not.
    """
    patch, remedy, mark = write_patches(
        booting.tree, booting.folder, v2_06=V2_06, remedy=REMEDY, mark=MARK
    )
    found = booting.check(*REVIEWED, patches=[patch, remedy], control=mark)
    assert found["violation"]["kind"] == "leak"
    require_shown(found["reproduction"], (0x80, 0x71, 0xCF8), leak=True)
