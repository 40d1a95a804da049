"""Tests of `iopermit check --reproduce`: one report, and a verdict that no kernel takes away."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.support.cli.command import run
from tests.support.kernel.made_trees import make_tree
from tests.support.report.strict import problems
from tests.support.reproduce.emulators import emulator
from tests.support.reproduce.images import PACKERS, bz_image, elf_file, kernel_types
from tests.support.requirements import require_tool

from iopermit.cli import ExitCode

if TYPE_CHECKING:
    from pathlib import Path

LEAK = ("linux-6.16", "--events", "ioperm,preempt", "--cpus", "1", "--tasks", "2", "--longs", "1")


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an image with types, which panics in what is found as QEMU."""
    require_tool("gcc")
    emulator(tmp_path, "echo Kernel panic; exit 0", monkeypatch)
    kernel = elf_file(kernel_types().section())
    file = tmp_path / "vmlinuz"
    file.write_bytes(bz_image(PACKERS["xz"](kernel), len(kernel)))
    return file


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("linux-6.16", "--image", "x"), "need --reproduce"),
        (("linux-6.16", "--control-image", "x"), "need --reproduce"),
        (("linux-6.16", "--reproduce"), "--reproduce needs --image VMLINUZ"),
        (("--kernel", "x", "--reproduce", "--image", "y"), "leave out --image"),
        (
            ("linux-6.16", "--reproduce", "--image", "x", "--control-patch", "y"),
            "--control-patch needs --kernel TREE",
        ),
        (
            ("linux-6.16", "--reproduce", "--image", "x", "--format", "mail"),
            "--reproduce excludes --format",
        ),
        (("linux-6.16", "--reproduce", "--image", "/missing"), "No such file"),
    ],
)
def test_wrong_usage_is_refused_before_any_search(
    options: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], image: Path
) -> None:
    """A kernel has to be named that is there, and only where one is to be booted."""
    assert image.is_file()
    ran = run(capsys, "check", *options)
    assert ran.status == ExitCode.BAD_INPUT
    assert message in ran.err
    assert not ran.out


def test_a_kernel_that_does_not_boot_takes_no_verdict_away(
    capsys: pytest.CaptureFixture[str], image: Path, tmp_path: Path
) -> None:
    """The violation is saved and reported with status 1, and why nothing was seen of it."""
    saved = tmp_path / "leak.json"
    page = tmp_path / "leak.html"
    options = (*LEAK, "--reproduce", "--image", image, "--save", saved, "--html", page)
    ran = run(capsys, "check", *options)
    assert ran.status == ExitCode.VIOLATED
    assert ran.out.startswith("BUG: port leak in linux-6.16")
    assert "UNDETERMINED on a booted kernel:" in ran.out
    assert "did not boot" in " ".join(ran.out.split())
    assert "clear bits in the TSS" in ran.out
    assert "reproduction" not in json.loads(saved.read_text())
    assert "UNDETERMINED on a booted kernel" in page.read_text(encoding="utf-8")
    ran = run(capsys, "check", *options, "--json")
    assert ran.status == ExitCode.VIOLATED
    found = json.loads(ran.out)
    assert found["reproduction"]["outcome"] == "undetermined"
    assert found["reproduction"]["schema"] == "iopermit/reproduction/1"
    assert problems(found, "verdict") == []


@pytest.mark.parametrize("verb", ["check", "reproduce"])
def test_a_repair_that_does_not_apply_is_refused_at_once(
    verb: str, capsys: pytest.CaptureFixture[str], image: Path, tmp_path: Path
) -> None:
    """What would be found out after minutes is told before anything is built or booted."""
    assert image.is_file()
    tree, patch, saved = (
        make_tree(tmp_path / "tree"),
        tmp_path / "fix.patch",
        tmp_path / "leak.json",
    )
    patch.write_text("--- a/mm/a.c\n+++ b/mm/a.c\n@@ -1 +1 @@\n-one\n+two\n")
    assert run(capsys, "check", *LEAK, "-q", "--save", saved).status == ExitCode.VIOLATED
    given = ("--reproduce",) if verb == "check" else (saved,)
    ran = run(capsys, verb, *given, "--kernel", tree, "--control-patch", patch)
    assert ran.status == ExitCode.BAD_INPUT
    assert "fix.patch" in ran.err
    assert "boots" not in ran.err


def test_what_holds_boots_nothing(
    capsys: pytest.CaptureFixture[str], image: Path, tmp_path: Path
) -> None:
    """Without a violation there is nothing to reproduce, and the report is as ever."""
    ran = run(
        *(capsys, "check", "linux-6.16", "--events", "ioperm", "--cpus", "1", "--tasks", "1"),
        *("--longs", "1", "--reproduce", "--image", image, "--json"),
    )
    assert ran.status == ExitCode.HOLDS
    assert "reproduction" not in json.loads(ran.out)
    assert "boots" not in ran.err
    assert tmp_path.is_dir()
