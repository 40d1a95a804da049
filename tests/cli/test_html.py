"""Tests of `--html`: every verb writes a whole page, or none and says why."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.cli.command import CRASHING, HOLDING, SMALL, run
from tests.support.kernel.faults import FAULTS, unified_diff
from tests.support.kernel.made_trees import make_tree
from tests.support.kernel.trees import require_tree
from tests.support.requirements import require_sandbox

from iopermit.cli.kernel import source_text
from iopermit.engine.verdict import KernelSubject

FULL = Path("/dev/full")
LIMIT = ("--max-states", "2")


@pytest.mark.parametrize(
    ("command", "status", "part"),
    [
        (("check", CRASHING, *SMALL), 1, "null pointer dereference"),
        (("check", HOLDING, *SMALL), 0, "not of a kernel"),
        (("check", HOLDING, *SMALL, *LIMIT), 3, "did not come to its end"),
        (("compare", HOLDING, *SMALL, "--no-options"), 0, "Verdicts of designs"),
        (("cost", HOLDING), 0, "bytes of the TSS written"),
    ],
)
def test_a_verb_writes_a_page(
    command: tuple[str, ...],
    status: int,
    part: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Violated, holds, undetermined, a matrix or costs: each has a page, beside the usual text."""
    file = tmp_path / "page.html"
    ran = run(capsys, *command, "--html", file)
    assert ran.status == status
    assert ran.out
    assert part in file.read_text(encoding="utf-8")
    assert [each.name for each in tmp_path.iterdir()] == ["page.html"]


def test_replay_writes_the_page_of_the_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was saved and is replayed has the schedule on its page that the check had."""
    saved, one, two = (tmp_path / name for name in ("saved.json", "one.html", "two.html"))
    run(capsys, "check", CRASHING, *SMALL, "--save", saved, "--html", one)
    assert run(capsys, "replay", saved, "--html", two).status == 1
    parts = [file.read_text().partition("What was searched")[0] for file in (one, two)]
    assert parts[0] == parts[1]


@pytest.mark.parametrize("verb", ["check", "replay", "compare", "cost"])
def test_a_place_that_cannot_be_written_is_refused_first(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A directory in the place of the page ends the verb with status 2 before any work."""
    ran = run(capsys, verb, "nothing-of-this-name", "--html", tmp_path)
    assert (ran.status, ran.out) == (2, "")
    assert f"cannot write {tmp_path}: it is a directory" in ran.err


@pytest.mark.skipif(not FULL.exists(), reason="needs the device /dev/full")
@pytest.mark.parametrize("verb", ["check", "compare", "cost"])
def test_a_full_disk_is_told(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the page on a full disk the text is printed all the same; status 2."""
    bounds = () if verb == "cost" else SMALL
    ran = run(capsys, verb, HOLDING, *bounds, "--html", FULL)
    assert ran.status == 2
    assert ran.out
    assert f"cannot write {FULL}: No space left on device" in ran.err


def test_the_page_of_a_tree_shows_the_patched_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The functions on the page are those of the tree with its patches, and a replay's, too."""
    tree = require_tree("6.12")
    require_sandbox()
    patch, saved, page = (tmp_path / name for name in ("own.patch", "saved.json", "page.html"))
    patch.write_text(unified_diff(tree, FAULTS["own-extent"]))
    bounds = ("--cpus", "1", "--tasks", "2", "--longs", "2")
    wanted = ("check", "--kernel", tree, "--patch", patch, *bounds, "--json", "--save", saved)
    ran = run(capsys, *wanted, "--html", page)
    assert ran.status == 1
    text = page.read_text(encoding="utf-8")
    added = next(line[1:].strip() for line in patch.read_text().splitlines() if line[:2] == "+\t")
    assert added in html.unescape(text)
    line = json.loads(ran.out)["violation"]["source"].rpartition(":")[2]
    assert f'<li value="{line}" class="executed blamed">' in text
    again = tmp_path / "again.html"
    assert run(capsys, "replay", saved, "--html", again).status == 1
    assert added in html.unescape(again.read_text(encoding="utf-8"))


def test_without_its_patch_a_tree_shows_no_source(tmp_path: Path) -> None:
    """Where a patch was removed since, no line of the tree stands for one that was executed."""
    tree = make_tree(tmp_path / "linux")
    (tree / "a.c").write_text("int x;\n")
    subject = KernelSubject(str(tree), (), "6.12", "gcc", "key")
    assert source_text(subject)("a.c") == "int x;\n"
    assert source_text(subject)("gone.c") == ""
    gone = replace(subject, patches=(str(tmp_path / "gone.patch"),))
    assert source_text(gone)("a.c") == ""
