"""Reading unified diffs: what each form means, and that damage is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from iopermit.kernel.build.patches.diff import FileDiff, read_file_diffs
from iopermit.kernel.build.patches.text import DiffText
from iopermit.kernel.errors import KernelTreeError

HUNK = "@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
GIT = "diff --git a/k/x.c b/k/x.c\n"
PLAIN = "--- a/k/x.c\n+++ b/k/x.c\n"


def read(text: str) -> list[FileDiff]:
    """Read a text as if it were a file `p`."""
    return read_file_diffs(DiffText(text.encode(), Path("p")))


def one(text: str) -> FileDiff:
    """Read a text about one file."""
    (file,) = read(text)
    return file


def refusal(text: str) -> str:
    """Return why a text is refused."""
    with pytest.raises(KernelTreeError) as error:
        read(text)
    return str(error.value)


@pytest.mark.parametrize(
    ("header", "old", "new"),
    [
        (GIT, b"k/x.c", b"k/x.c"),
        ("diff --git k/x.c k/x.c\n", b"k/x.c", b"k/x.c"),
        ("diff --git i/k/x.c w/k/x.c\n", b"k/x.c", b"k/x.c"),
        ("diff --git old/k/x.c new/k/x.c\n", b"k/x.c", b"k/x.c"),
        ("diff --git a/k/x y b/k/x y\n", b"k/x y", b"k/x y"),
        ("diff --git a/k/x b/x b/k/x b/x\n", b"k/x b/x", b"k/x b/x"),
        ('diff --git "a/k/\\303\\244" "b/k/\\303\\244"\n', "k/ä".encode(), "k/ä".encode()),
    ],
)
def test_names_in_a_header_of_git(header: str, old: bytes, new: bytes) -> None:
    """With, without or with other prefixes, with spaces and quoted, the names are the tree's."""
    file = one(f"{header}old mode 100644\nnew mode 100755\n")
    assert (file.old, file.new, file.exact) == (old, new, True)
    assert (file.old_mode, file.new_mode) == (b"100644", b"100755")


def test_a_rename_without_prefixes() -> None:
    """The lines `rename` say which names the first line has."""
    file = one(
        "diff --git k/x.c l/y.c\nsimilarity index 100%\nrename from k/x.c\nrename to l/y.c\n"
    )
    assert (file.old, file.new, file.renamed) == (b"k/x.c", b"l/y.c", True)


def test_files_that_are_created_and_deleted() -> None:
    """By git's lines, by /dev/null and by the time stamps of `diff -N` one name is left."""
    made, gone = "@@ -0,0 +1 @@\n+x\n", "@@ -1 +0,0 @@\n-x\n"
    stamp = "\t1970-01-01 01:00:00.000000000 +0100"
    created = (
        f"{GIT}new file mode 100644\n--- /dev/null\n+++ b/k/x.c\n{made}",
        f"{GIT}new file mode 100644\nindex 0000000..e69de29\n",
        f"--- /dev/null\n+++ b/k/x.c\n{made}",
        f"--- a/k/x.c{stamp}\n+++ b/k/x.c\t2026-01-01 01:00:00 +0100\n{made}",
    )
    deleted = (
        f"{GIT}deleted file mode 100644\n--- a/k/x.c\n+++ /dev/null\n{gone}",
        f"--- a/k/x.c\n+++ /dev/null\n{gone}",
        f"--- a/k/x.c\t2026-01-01 01:00:00 +0100\n+++ b/k/x.c{stamp}\n{gone}",
    )
    assert [one(text).old for text in created] == [None] * len(created)
    assert [one(text).new for text in deleted] == [None] * len(deleted)


def test_lines_without_an_end() -> None:
    """The note about the last newline counts for the line before it, in both files or in one."""
    note = "\\ No newline at end of file\n"
    (hunk,) = one(f"{PLAIN}@@ -1,2 +1,2 @@\n a\n-b\n{note}+c\n").hunks
    assert (hunk.old, hunk.new) == ((b"a\n", b"b"), (b"a\n", b"c\n"))
    (hunk,) = one(f"{PLAIN}@@ -1,2 +1 @@\n-a\n b\n{note}").hunks
    assert (hunk.old, hunk.new) == ((b"a\n", b"b"), (b"b",))


def test_an_empty_line_of_context_may_have_lost_its_space() -> None:
    """Mail programs strip it."""
    (hunk,) = one(f"{PLAIN}@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n").hunks
    assert hunk.old == (b"a\n", b"\n", b"b\n")


def test_the_signature_of_a_mail_is_no_line_of_a_hunk() -> None:
    """`-- ` and the version of git behind the last hunk are passed over, also without the space."""
    for end in ("-- \n2.47.0\n", "--\n2.47.0\n"):
        assert len(one(f"{PLAIN}{HUNK}{end}").hunks) == 1


DAMAGED = {
    "a number of many digits": (f"{PLAIN}@@ -1,2 +1,{'9' * 5000} @@\n", 3, "damaged header"),
    "no number": (f"{PLAIN}@@ -1,x +1 @@\n a\n", 3, "damaged header"),
    "no lines": (f"{PLAIN}@@ -1,0 +1,0 @@\n", 3, "without lines"),
    "cut off": (f"{PLAIN}@@ -1,2 +1,2 @@\n a\n", 4, "cut off"),
    "cut off in a line": (f"{PLAIN}@@ -1,2 +1,2 @@\n a\n-b\n+", 5, "cut off"),
    "a wrapped line": (f"{PLAIN}@@ -1,2 +1,2 @@\n a\nb\n", 5, "wrapped"),
    "a line too much": (f"{PLAIN}{HUNK}+more\n", 7, "more lines than its header says"),
    "other numbers": (f"{PLAIN}@@ -1,1 +1,2 @@\n a\n-b\n+c\n", 5, "does not fit the numbers"),
    "lines behind the end": (
        f"{PLAIN}@@ -1,2 +1,2 @@\n a\n\\ No newline at end of file\n-b\n+c\n", 7, "behind the end",
    ),
    "a hunk of no file": (f"{HUNK}", 1, "belongs to no file"),
    "a second hunk of no file": (f"{PLAIN}{HUNK}text\n{HUNK}", 8, "belongs to no file"),
    "no hunk": (PLAIN, 1, "no hunks"),
    "an index and no hunk": (f"{GIT}index 123..456 100644\n", 1, "no hunks"),
    "a new file and no hunk": (
        f"{GIT}new file mode 100644\nindex 0000000..1234567\n", 1, "no hunks",
    ),
    "half a similar file": (
        "diff --git a/x b/y\nsimilarity index 90%\nrename from x\nrename to y\n", 1, "no hunks",
    ),
    "half a rename": (f"{GIT}rename from k/x.c\n", 1, "in part"),
    "other names": (f"{GIT}--- a/k/x.c\n+++ b/k/y.c\n{HUNK}", 1, "name different files"),
    "a rename of others": (
        "diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to z\n", 1, "different",
    ),
    "a new file that was there": (
        f"{GIT}new file mode 100644\n{PLAIN}{HUNK}", 1, "created or deleted",
    ),
    "created without saying so": (
        f"{GIT}--- /dev/null\n+++ b/k/x.c\n@@ -0,0 +1 @@\n+x\n", 1, "created or deleted",
    ),
    "created and deleted": (
        f"{GIT}new file mode 100644\ndeleted file mode 100644\n", 1, "both that a file is new",
    ),
    "two modes": (f"{GIT}new mode 100644\nnew mode 100755\n", 3, "twice"),
    "half a mode": (f"{GIT}new mode 100755\n", 1, "modes contradict"),
    "a mode of a new file that changes": (
        f"{GIT}new file mode 100644\nold mode 100644\nnew mode 100755\n", 1, "modes contradict",
    ),
    "a mode of two lines": (
        f"{GIT}old mode 100644\nnew mode 100755\nindex 12..34 100644\n", 1, "modes contradict",
    ),
    "no mode": (f"{GIT}old mode 100644\nnew mode rwx\n", 1, "damaged mode"),
    "no name": ("diff --git a/x\nold mode 100644\nnew mode 100755\n", 1, "or none"),
    "a damaged quoted name": ('diff --git "a/x b/x\nold mode 100644\n', 1, "or none"),
    "a header's line elsewhere": (f"text\nrename from k/x.c\n{PLAIN}{HUNK}", 2, "outside of one"),
    "no --- and +++": (f"{GIT}index 123..456 100644\n{HUNK}", 3, "are missing"),
    "no header but the first line": (f"{GIT}{HUNK}", 2, "are missing"),
    "no +++": (f"{GIT}--- a/k/x.c\ntext\n", 3, "is missing"),
    "a context diff": (f"{PLAIN}{HUNK}\n*** a/y\n--- b/y\n***************\n", 10, "no unified"),
    "a normal diff": (f"{PLAIN}{HUNK}\n3c3\n< a\n---\n> b\n", 8, "no unified"),
    "a file left out by diff -r at the beginning": (
        f"Only in b/k: y.c\n{PLAIN}{HUNK}", 1, "diff -N",
    ),
    "a file left out by diff -r": (f"{PLAIN}{HUNK}Only in b/k: y.c\n", 7, "diff -N"),
    "a file that is empty or not there": (
        f"{PLAIN}@@ -0,0 +1 @@\n+x\n", 1, "not there or an empty one",
    ),
    "no file at all": (
        "--- /dev/null\n+++ /dev/null\n@@ -1 +1 @@\n-a\n+b\n", 1, "names no file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", DAMAGED)
def test_what_is_damaged_is_refused_with_its_line(form: str) -> None:
    """The message names the file, the line and what is wrong, in a short line."""
    text, line, words = DAMAGED[form]
    message = refusal(text)
    assert message.startswith(f"p, line {line}: ")
    assert words in message
    assert len(message) < 700


def test_two_files_in_one_text() -> None:
    """Each header has its own hunks, whichever forms they have."""
    files = read(
        f"log\n\n{GIT}index 1..2 100644\n{PLAIN}{HUNK}{HUNK.replace('1,2', '9,2')}{PLAIN}{HUNK}"
    )
    assert [(file.line, len(file.hunks)) for file in files] == [(3, 2), (15, 1)]
