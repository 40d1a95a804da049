"""Tests of `iopermit sweep --cluster` on git revisions: the same results as on this machine."""

import json
import os
from pathlib import Path
from typing import Final

import pytest
from tests.support.cli.command import run
from tests.support.kernel.made_trees import make_tree
from tests.support.requirements import require_tool
from tests.support.sweep.histories import FILE, INTRODUCED, REPAIRED, described, history
from tests.support.sweep.printed import what_was_found

from iopermit.cli import ExitCode

JUDGING: Final = f"""\
import json, os, pathlib, sys
words = sys.orig_argv
if "--kernel" in words and "iopermit.sweep.execution.bound" not in words:
    tree = pathlib.Path(words[words.index("--kernel") + 1])
    faulty = "faulty" in (tree / {FILE!r}).read_text()
    violation = {{"kind": "leak", "message": "a leak"}} if faulty else None
    verdict = "violated" if faulty else "holds"
    search = {{"states": 1}}
    found = {{"verdict": verdict, "reason": "", "violation": violation, "search": search}}
    print(json.dumps(found), flush=True)
    os._exit(faulty)
"""
"""Python executes it before anything else. A job then judges a tree by a word in one of its files,
in whichever process of whichever node it runs."""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give the commits of a repository in `git`, whose trees jobs judge by a word in them."""
    for tool in ("gcc", "make", "flex", "bison", "bc"):
        require_tool(tool)
    startup = tmp_path / "startup"
    startup.mkdir()
    (startup / "sitecustomize.py").write_text(JUDGING)
    before = os.environ.get("PYTHONPATH")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(startup), before])))
    return history(tmp_path / "git", make_tree(tmp_path / "linux"), "sound", "faulty")


@pytest.mark.parametrize("options", [(), ("--bisect",)], ids=["all", "bisected"])
def test_revisions_have_the_same_results_on_a_cluster(
    options: tuple[str, ...], made: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A range, and its bisection: the same jobs, verdicts, changes and gaps, each job run once."""
    file = described(tmp_path, tmp_path / "git", f"{made[0]}..{made[-1]}")
    on_cluster = run(capsys, "sweep", file, *options, "--cluster", "auto", "--json")
    elsewhere = ("--database", tmp_path / "here.sqlite", "--jobs", 2)
    here = run(capsys, "sweep", file, *options, *elsewhere, "--json")
    assert on_cluster.status == here.status == ExitCode.VIOLATED
    found = what_was_found(json.loads(on_cluster.out))
    assert found == what_was_found(json.loads(here.out))
    changes = [change["commits"][0]["hash"] for change in found["changes"]]
    assert changes == [made[INTRODUCED], made[REPAIRED]]
    assert on_cluster.err.count("\n") == (len(made) if not options else len(found["jobs"]))
    again = run(capsys, "sweep", file, *options, "--json")
    assert again.err == ""
    assert what_was_found(json.loads(again.out)) == found
