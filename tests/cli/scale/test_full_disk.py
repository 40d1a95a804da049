"""Tests of `check` on a file system that is really full: one message, and nothing is lost."""

import json
import shlex
from pathlib import Path

import pytest
from tests.support.cli.command import CRASHING, SMALL, run
from tests.support.cli.small_disk import SmallDisk

TWO = "linux-6.16+preempt_off --cpus 2 --tasks 2 --longs 1 --events plain".split()  # noqa: SIM905 - as it is typed
SIZE = 700_000
"""Bytes: more than the first checkpoints need, less than the last."""


@pytest.fixture
def disk(tmp_path: Path) -> SmallDisk:
    """Give a small file system."""
    (tmp_path / "small").mkdir()
    return SmallDisk(tmp_path / "small", SIZE)


@pytest.mark.parametrize("option", ["--checkpoint", "--disk"])
def test_a_search_goes_on_elsewhere(
    option: str, disk: SmallDisk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 3 and one message; what was copied from there is gone on from to the same result."""
    search, copy = disk.folder / "search", tmp_path / "copy"
    given = shlex.join([*TWO, option, str(search), "--every", "0.1s", "--quiet"])
    ran = disk.run(f"iopermit check {given}; status=$?; cp -r {search} {copy}; exit $status")
    assert ran.returncode == 3
    assert " ".join(ran.stdout.split()).endswith(
        f"there is no space left for {search}; "
        f"to go on, give the same command with --resume {search}"
    )
    assert ran.stderr == ""
    found = run(capsys, "check", *TWO, "--json", "--resume", copy)
    wanted = run(capsys, "check", *TWO, "--json")
    assert found.status == wanted.status == 0
    for figure in ("states", "transitions", "depth", "exhausted"):
        assert json.loads(found.out)["search"][figure] == json.loads(wanted.out)["search"][figure]


@pytest.mark.parametrize("option", ["--checkpoint", "--disk", "--threads 3 --checkpoint"])
def test_without_any_space_there_is_nothing_to_go_on_from(option: str, disk: SmallDisk) -> None:
    """Where not even one state fits, the verdict is open, and no option to go on is named."""
    search = disk.folder / "search"
    check = f"iopermit check {shlex.join(TWO)} --quiet {option} {search}"
    ran = disk.run(f"{disk.filled()} {check}")
    assert ran.returncode == 3
    assert " ".join(ran.stdout.split()).endswith(f"there is no space left for {search}")
    assert ran.stderr == ""


@pytest.mark.parametrize("option", ["--save", "--html", "--json"])
def test_a_result_that_does_not_fit_is_told(option: str, disk: SmallDisk) -> None:
    """A file or standard output on a full file system: status 2, and one message that names it."""
    file = disk.folder / "result"
    given, where = (option, f">{file}") if option == "--json" else (f"{option} {file}", "")
    check = shlex.join(["check", CRASHING, *SMALL, "--quiet"])
    ran = disk.run(f"{disk.filled()} iopermit {check} {given} {where}")
    assert ran.returncode == 2
    name = "to standard output" if where else str(file)
    assert f"cannot write {name}: No space left on device" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
