"""Which files patches change: links, renames, modes, other names and what is no source file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.patching import LINES, NAME, apply, diff, edited, reason, text

from iopermit.kernel.build.source import Source

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """Give a tree with one file."""
    (tmp_path / "tree/kernel").mkdir(parents=True)
    (tmp_path / "tree" / NAME).write_bytes(text(LINES))
    return Source(tmp_path / "tree")


@pytest.fixture
def linked(source: Source, tmp_path: Path) -> Source:
    """Give a tree with a link to one of its directories, one out of it, and one to a file."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a.h").write_bytes(text(LINES))
    (source.tree / "prefixes").mkdir()
    (source.tree / "prefixes/inside").symlink_to("../kernel")
    (source.tree / "prefixes/outside").symlink_to(tmp_path / "outside")
    (source.tree / "prefixes/file.c").symlink_to("../kernel/a.c")
    return source


@pytest.mark.parametrize(
    ("name", "link"),
    [
        ("prefixes/inside/a.c", "prefixes/inside"),
        ("prefixes/outside/a.h", "prefixes/outside"),
        ("prefixes/outside/new.h", "prefixes/outside"),
        ("prefixes/outside/deep/new.h", "prefixes/outside"),
        ("prefixes/file.c", "prefixes/file.c"),
    ],
)
def test_a_patch_that_touches_a_link(linked: Source, name: str, link: str) -> None:
    """It is refused with its line and the link, whether it changes a file or creates one."""
    if "new" in name:
        patch = f"--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+new\n"
    else:
        patch = diff(LINES, edited((5, "five")), name)
    message = reason(linked, patch)
    assert f"0.patch, line 1: {link} is a symbolic link in the tree" in message


def git(text: str, header: str, name: str = NAME) -> str:
    """Return a patch of git, with lines of its header."""
    return f"diff --git a/{name} b/{name}\n{header}{text}"


FORMS = {
    "a new link": git(
        "--- /dev/null\n+++ b/kernel/b\n@@ -0,0 +1 @@\n+/etc/passwd\n",
        "new file mode 120000\n", "kernel/b",
    ),
    "a changed link": git("", "index 123..456 120000\n") + diff(LINES, edited((5, "x"))),
    "a submodule": git("", "index 123..456 160000\n") + diff(LINES, edited((5, "x"))),
    "a device": git("", "old mode 100644\nnew mode 060644\n"),
    "binary": git("Binary files a/x and b/x differ\n", "index 123..456 100644\n"),
    "binary of git": git("GIT binary patch\nliteral 3\nKc$@", "index 123..456 100644\n"),
    "binary of diff": (
        f"Binary files a/{NAME} and b/{NAME} differ\n" + diff(LINES, edited((5, "x")))
    ),
    "a product": "--- /dev/null\n+++ b/kernel/a.o\n@@ -0,0 +1 @@\n+x\n",
    "git's own": "--- /dev/null\n+++ b/.git/config\n@@ -0,0 +1 @@\n+x\n",
    "a rename over a file": (
        "diff --git a/kernel/a.c b/kernel/b.c\nsimilarity index 100%\nrename from kernel/a.c\n"
        "rename to kernel/b.c\n" * 2
    ),
    "a rename of nothing": (
        "diff --git a/kernel/none.c b/kernel/b.c\nsimilarity index 100%\n"
        "rename from kernel/none.c\nrename to kernel/b.c\n"
    ),
    "another file's name": diff(LINES, edited((5, "x"))).replace("+++ b/", "+++ b/other/"),
    "a new file whose prefix is not known": "--- /dev/null\n+++ kernel/new.c\n@@ -0,0 +1 @@\n+x\n",
    "half a deletion": (
        git(f"--- a/{NAME}\n+++ /dev/null\n@@ -1 +0,0 @@\n-line 1\n", "deleted file mode 100644\n")
    ),
    "another case": diff(LINES, edited((5, "x")), "kernel/A.c"),
    "a carriage return": diff(LINES, edited((5, "x"))).replace("c\n@@", "c\r\n@@", 1),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_what_is_no_change_of_a_source_file(source: Source, form: str) -> None:
    """Links, submodules, devices, binaries, products and names of other files are refused."""
    message = reason(source, FORMS[form])
    assert "0.patch, line " in message
    assert (source.tree / NAME).read_bytes() == text(LINES)


def test_copies_and_modes(source: Source) -> None:
    """A copy leaves the original; a new mode and that of a new file are known."""
    patch = (
        f"diff --git a/{NAME} b/kernel/copy.c\nsimilarity index 100%\ncopy from {NAME}\n"
        "copy to kernel/copy.c\n"
        f"diff --git a/{NAME} b/{NAME}\nold mode 100644\nnew mode 100755\n"
        "diff --git a/kernel/new.sh b/kernel/new.sh\nnew file mode 100755\n"
        "--- /dev/null\n+++ b/kernel/new.sh\n@@ -0,0 +1 @@\n+#!/bin/sh\n"
    )
    patched = apply(source, patch)
    assert patched.changed["kernel/copy.c"] == text(LINES)
    assert patched.has(NAME)
    assert patched.modes == {"kernel/copy.c": False, NAME: True, "kernel/new.sh": True}


def test_a_copy_of_what_the_patch_changes_too(source: Source) -> None:
    """In git's patches it means the original, and not what the lines above have made of it."""
    patch = (
        f"{diff(LINES, edited((5, 'five')))}diff --git a/{NAME} b/kernel/copy.c\n"
        f"similarity index 100%\ncopy from {NAME}\ncopy to kernel/copy.c\n"
    )
    assert "is copied and changed in one patch" in reason(source, patch)


def test_a_rename_of_what_was_skipped(source: Source) -> None:
    """A file that patches changed where none is applied cannot be moved to where one is."""
    (source.tree / "drivers").mkdir()
    (source.tree / "drivers/a.c").write_bytes(text(LINES))
    rename = (
        "diff --git a/drivers/a.c b/kernel/b.c\nsimilarity index 100%\nrename from drivers/a.c\n"
        "rename to kernel/b.c\n"
    )
    assert apply(source, rename).changed == {"drivers/a.c": None, "kernel/b.c": text(LINES)}
    change = diff(LINES, edited((5, "five")), "drivers/a.c")
    assert "what was done to it was skipped" in reason(source, change, rename)


def test_a_rename_out_of_what_is_compiled(source: Source) -> None:
    """The file is gone, although where it goes nothing is compiled."""
    rename = (
        f"diff --git a/{NAME} b/drivers/a.c\nsimilarity index 100%\nrename from {NAME}\n"
        "rename to drivers/a.c\n"
    )
    assert apply(source, rename).changed[NAME] is None


def test_a_patch_without_prefixes(source: Source) -> None:
    """The path of a file of the tree means this file, also with `git diff --no-prefix`."""
    after = edited((5, "five"))
    plain = diff(LINES, after).replace("a/kernel", "kernel").replace("b/kernel", "kernel")
    assert apply(source, plain).changed == {NAME: text(after)}
    assert apply(source, f"diff --git {NAME} {NAME}\n{plain}").changed == {NAME: text(after)}


def test_a_name_that_is_not_ascii(source: Source) -> None:
    """Quoted as git does it or as bytes, it means the same file."""
    after = edited((5, "five"))
    (source.tree / "kernel/ä.c").write_bytes(text(LINES))
    quoted = diff(LINES, after, "kernel/ä.c")
    for side in "ab":
        quoted = quoted.replace(f"{side}/kernel/ä.c", f'"{side}/kernel/\\303\\244.c"')
    for patch in (diff(LINES, after, "kernel/ä.c"), quoted):
        assert apply(source, patch).changed == {"kernel/ä.c": text(after)}
