"""Tests of `iopermit sweep` on git repositories with a fault that comes and goes."""

import json
import sys
from pathlib import Path
from typing import Final

import pytest
from tests.support.cli.command import Ran, run
from tests.support.kernel.faults import REPAIR
from tests.support.kernel.made_trees import make_tree
from tests.support.kernel.trees import THOROUGH, require_tree
from tests.support.requirements import require_sandbox, require_tool
from tests.support.sweep.histories import FILE, INTRODUCED, REPAIRED, described, history

from iopermit.cli import ExitCode

FOUND: Final = {
    "verdict": "violated",
    "violation": {"kind": "leak", "message": "a leak"},
    "search": {"states": 1},
}
HOLDS: Final = {"verdict": "holds", "reason": "", "violation": None, "search": {"states": 1}}
JUDGING: Final = f"""\
import json, pathlib, sys
tree = pathlib.Path(sys.argv[sys.argv.index("--kernel") + 1])
faulty = "faulty" in (tree / {FILE!r}).read_text()
print(json.dumps({FOUND!r} if faulty else {HOLDS!r}))
sys.exit(faulty)
"""
"""Judges a tree by a word in one of its files, as `check --kernel TREE --json` would."""


def is_named(ran: Ran, commits: list[str]) -> bool:
    """Return whether the commits that planted and repaired the fault are named, and no others."""
    sentences = [line for line in ran.out.splitlines() if " by " in line]
    return (
        len(sentences) == 2
        and f"introduced by {commits[INTRODUCED][:12]}" in sentences[0]
        and f"repaired by {commits[REPAIRED][:12]}" in sentences[1]
    )


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the commits of a repository in `git`, whose trees jobs judge by a word in them."""
    for tool in ("gcc", "make", "flex", "bison", "bc"):
        require_tool(tool)
    commits = history(tmp_path / "git", make_tree(tmp_path / "linux"), "sound", "faulty")
    program = tmp_path / "program"
    program.write_text(f"#!{sys.executable}\n{JUDGING}")
    program.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(program))
    return commits


def test_every_revision_of_a_range_is_judged(
    made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a bisection thirteen revisions are judged; those with the fault are violated."""
    file = described(tmp_path, tmp_path / "git", f"{made[0]}..{made[-1]}")
    ran = run(capsys, "sweep", file, "--json")
    jobs = json.loads(ran.out)["jobs"]
    assert ran.status == ExitCode.VIOLATED
    assert [job["commit"]["hash"] for job in jobs] == made
    violated = [job["commit"]["number"] for job in jobs if job["outcome"] == "violated"]
    assert violated == list(range(INTRODUCED, REPAIRED))


def test_a_fault_that_comes_and_goes_is_bisected(
    made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of thirteen revisions at most nine are judged; both commits are named, and what was not."""
    file = described(tmp_path, tmp_path / "git", f"{made[0]}..{made[-1]}")
    ran = run(capsys, "sweep", file, "--bisect", "--jobs", 2)
    assert ran.status == ExitCode.VIOLATED
    assert ran.err.count("\n") <= 9
    assert is_named(ran, made)
    assert "not judged: " in ran.out
    again = run(capsys, "sweep", file, "--bisect")
    assert again.err == ""
    assert again.out.splitlines()[:-1] == ran.out.splitlines()[:-1]


def test_a_bisection_goes_on_where_a_sweep_stopped(
    made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a sweep over some revisions found a bisection over more of them does not run again."""
    run(capsys, "sweep", described(tmp_path, tmp_path / "git", f"{made[3]}..{made[9]}"))
    file = described(tmp_path, tmp_path / "git", f"{made[0]}..{made[-1]}")
    ran = run(capsys, "sweep", file, "--bisect")
    assert is_named(ran, made)
    assert ran.err.count("\n") == 2


def test_a_fault_of_a_kernel_tree_is_bisected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both commits are found in Linux 6.12 as git has it; `make trees` goes the whole way."""
    tree = require_tree("6.12")
    require_sandbox()
    faulty = (tree / FILE).read_text()
    commits = history(tmp_path / "git", tree, REPAIR.apply(faulty), faulty)
    first, last = (0, -1) if THOROUGH else (INTRODUCED - 1, INTRODUCED)
    file = described(tmp_path, tmp_path / "git", f"{commits[first]}..{commits[last]}")
    ran = run(capsys, "sweep", file, "--bisect", "--jobs", 1)
    assert ran.status == ExitCode.VIOLATED
    assert ran.err.count("\n") <= 9
    assert f"introduced by {commits[INTRODUCED][:12]}" in ran.out
    assert not THOROUGH or is_named(ran, commits)


def test_a_revision_that_is_no_kernel_is_a_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Commits that cannot be built are failed jobs with a reason, and the sweep goes on."""
    for tool in ("gcc", "make", "flex", "bison", "bc"):
        require_tool(tool)
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "Makefile").write_text("VERSION = 6\n")
    commits = history(tmp_path / "git", tree, "int x;", "int y;")
    file = described(tmp_path, tmp_path / "git", f"{commits[-2]}..{commits[-1]}")
    ran = run(capsys, "sweep", file)
    assert ran.status == ExitCode.UNDETERMINED
    assert ran.out.count("failed: ") == 2
    assert "is not a Linux kernel source tree" in " ".join(ran.out.split())
