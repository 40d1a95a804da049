"""Applying unified diffs exactly, and explaining what does not apply."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.kernel.patching import LINES, NAME, apply, diff, edited, reason, text
from tests.support.requirements import require_tool

from iopermit.kernel.build.source import Source
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Give a tree with one file."""
    (tmp_path / "tree/kernel").mkdir(parents=True)
    (tmp_path / "tree" / NAME).write_bytes(text(LINES))
    return Source(tmp_path / "tree")


def test_patches_apply_in_order_and_leave_the_tree_alone(source: Source) -> None:
    """The second patch applies to what the first one made; the file itself stays as it was."""
    first, second = edited((10, "ten")), edited((10, "TEN"), (30, None))
    patched = apply(source, diff(LINES, first), diff(first, second))
    assert patched.changed == {NAME: text(second)}
    assert (source.tree / NAME).read_bytes() == text(LINES)


@given(
    st.dictionaries(st.integers(1, 40), st.sampled_from([None, "", "x", "line 7"]), max_size=8),
    st.integers(1, 3),
)
def test_a_diff_makes_the_new_file_of_the_old(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[int, str | None], context: int
) -> None:
    """Whatever lines change, the diff of two files makes the one of the other."""
    directory = tmp_path_factory.mktemp("any")
    (directory / "tree/kernel").mkdir(parents=True)
    (directory / "tree" / NAME).write_bytes(text(LINES))
    after = edited(*changes.items())
    patch = diff(LINES, after, context=context)
    if patch:
        patched = apply(Source(directory / "tree"), patch)
        assert patched.changed == {NAME: text(after)}


def test_hunks_may_have_moved(source: Source) -> None:
    """A hunk applies where its lines stand now."""
    shifted = [*(f"new {number}" for number in range(7)), *LINES]
    (source.tree / NAME).write_bytes(text(shifted))
    patched = apply(source, diff(LINES, edited((5, "five"), (35, "x"))))
    expected = [{"line 5": "five", "line 35": "x"}.get(line, line) for line in shifted]
    assert patched.changed[NAME] == text(expected)


def test_git_writes_patches_that_apply(source: Source) -> None:
    """What `git format-patch` writes applies: changed, added, renamed and removed files."""
    require_tool("git")
    git = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", "-C", str(source.tree)]
    (source.tree / "old.c").write_text("old\n" * 9)
    (source.tree / "gone.c").write_text("gone\n")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one"]):
        subprocess.run([*git, *command], check=True)
    (source.tree / NAME).write_bytes(text(edited((3, "three"))))
    (source.tree / "old.c").rename(source.tree / "moved.c")
    (source.tree / "gone.c").unlink()
    (source.tree / "added.c").write_text("added\n")
    for command in (["add", "-A"], ["commit", "-qm", "two\n\n--- a line of the text"]):
        subprocess.run([*git, *command], check=True)
    patch = subprocess.run(
        [*git, "format-patch", "-1", "--stdout", "-M"], check=True, capture_output=True, text=True
    ).stdout
    subprocess.run([*git, "checkout", "-q", "HEAD~"], check=True)
    shutil.rmtree(source.tree / ".git")
    assert apply(source, patch).changed == {
        NAME: text(edited((3, "three"))),
        "old.c": None,
        "moved.c": b"old\n" * 9,
        "gone.c": None,
        "added.c": b"added\n",
    }


def test_the_line_in_the_way_is_shown(source: Source) -> None:
    """A hunk that does not apply is named, with the line expected and the line found."""
    patch = diff(LINES, edited((5, "five"), (30, "thirty")))
    (source.tree / NAME).write_bytes(text(edited((32, "something else"))))
    assert reason(source, patch).splitlines() == [
        (
            f"{source.tree.parent}/0.patch, line 12: the patch does not apply: {NAME}, hunk 2 of 2 "
            "(@@ -27,7 +27,7 @@)"
        ),
        "  line 32",
        "    expected: line 32",
        "    found:    something else",
    ]


def test_the_end_of_the_file_in_the_way_is_shown(source: Source) -> None:
    """A hunk that reaches past the end of the file says so."""
    patch = diff(LINES, edited((40, "forty")))
    (source.tree / NAME).write_bytes(text(LINES[:-1]))
    assert "found:    the end of the file" in reason(source, patch)


def test_a_patch_that_is_applied_already(source: Source) -> None:
    """A patch that the tree has already is recognised."""
    patch = diff(LINES, edited((5, "five")))
    assert "it seems to be applied" in reason(source, patch, patch)


def test_a_file_that_is_not_there(source: Source) -> None:
    """A patch for a file that the tree does not have names the file."""
    patch = diff(["a"], ["b"], "kernel/none.c")
    assert f"kernel/none.c is not in {source.tree}" in reason(source, patch)


def test_a_new_file_that_is_there_already(source: Source) -> None:
    """A patch that creates a file that exists is refused."""
    patch = f"--- /dev/null\n+++ b/{NAME}\n@@ -0,0 +1 @@\n+new\n"
    assert f"it creates {NAME}, which is there already" in reason(source, patch)


@pytest.mark.parametrize("name", ["a/../../etc/passwd", "/etc/passwd"])
def test_paths_out_of_the_tree(source: Source, name: str) -> None:
    """A path that leads out of the tree is refused."""
    patch = f"--- {name}\n+++ {name}\n@@ -1 +1 @@\n-a\n+b\n"
    assert "leads out of the tree" in reason(source, patch)


def test_wrapped_lines(source: Source) -> None:
    """A diff whose long lines a mail program has wrapped is recognised as damaged."""
    patch = diff(LINES, edited((5, "a long line"))).replace("+a long line", "+a long\nline")
    assert "is damaged" in reason(source, patch)


def test_a_hunk_longer_than_its_header_says(source: Source) -> None:
    """Lines behind the end of a hunk are not silently left out."""
    patch = diff(LINES, edited((5, "five"))) + "+one more\n"
    assert "has more lines than its header says: '+one more'" in reason(source, patch)


def test_a_hunk_shorter_than_its_header_says(source: Source) -> None:
    """A diff that is cut off is recognised as damaged."""
    patch = "".join(diff(LINES, edited((5, "five"))).splitlines(keepends=True)[:-2])
    assert "is damaged" in reason(source, patch)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sampled_from(
                [
                    "drop",
                    "twice",
                    "cut",
                    "@@ -1 +1 @@",
                    "--- a/x",
                    "+++ b/x",
                    "diff --git a/x b/y",
                    "rename from x",
                    "+",
                    "-",
                    " ",
                    "\\ No newline",
                    "Binary files a/x and b/x differ",
                    "GIT binary patch",
                    "\x85",
                    "@@ -0,0 +1,9 @@",
                ]
            ),
        ),
        max_size=4,
    )
)
def test_damaged_patches_apply_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, damages: list[tuple[int, str]]
) -> None:
    """However a patch is damaged, it applies as it then stands, or is refused with a message."""
    directory = tmp_path_factory.mktemp("damaged")
    (directory / "tree/kernel").mkdir(parents=True)
    (directory / "tree" / NAME).write_bytes(text(LINES))
    lines = diff(LINES, edited((5, "five"), (20, None), (30, "thirty"))).splitlines()
    for number, damage in damages:
        place = number % (len(lines) + 1)
        if damage == "cut":
            lines = lines[: place + 2]
        elif damage in {"drop", "twice"}:
            lines[place : place + 1] = lines[place : place + 1] * (2 if damage == "twice" else 0)
        else:
            lines.insert(place, damage)
        lines = lines or [""]
    with contextlib.suppress(KernelTreeError):
        patched = apply(Source(directory / "tree"), "\n".join(lines))
        assert patched.changed or patched.skipped


def applied_by_git(tree: Path, patch: Path) -> dict[str, bytes] | None:
    """Return the files of a tree after `git apply`, if that applies a patch."""
    command = [str(require_tool("git")), "apply", "--whitespace=nowarn", str(patch)]
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(tree.parent)}
    done = subprocess.run(command, cwd=tree, check=False, capture_output=True, env=environment)
    if done.returncode:
        return None
    paths = [path for path in tree.rglob("*") if path.is_file()]
    return {str(path.relative_to(tree)): path.read_bytes() for path in paths}


@settings(max_examples=150)
@given(
    st.lists(st.sampled_from("abc"), min_size=4, max_size=14),
    st.lists(st.tuples(st.integers(0, 13), st.sampled_from(["a", "b", "x", None])), max_size=3),
    st.lists(st.tuples(st.integers(0, 13), st.sampled_from(["a", "b", "y", None])), max_size=3),
    st.integers(1, 3),
)
def test_the_result_is_that_of_git(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[str],
    edits: list[tuple[int, str | None]],
    drift: list[tuple[int, str | None]],
    context: int,
) -> None:
    """What is applied, also to a file that changed meanwhile, is what `git apply` makes of it."""
    directory = tmp_path_factory.mktemp("git")
    (directory / "tree/kernel").mkdir(parents=True)

    def with_edits(lines: list[str], changes: list[tuple[int, str | None]]) -> list[str]:
        for place, line in changes:
            at = place % (len(lines) + 1)
            lines = [*lines[:at], *([line] if line else []), *lines[at + (line is None) :]]
        return lines

    patch = diff(before, with_edits(before, edits), context=context)
    (directory / "tree" / NAME).write_bytes(text(with_edits(before, drift)))
    if not patch or not with_edits(before, edits):
        return
    try:
        patched = apply(Source(directory / "tree"), patch).changed[NAME]
    except KernelTreeError:
        return
    assert applied_by_git(directory / "tree", directory / "0.patch") == {NAME: patched}
