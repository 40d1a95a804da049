"""Damaged patches, mails and trees: each applies as `git apply` applies it, or is refused."""

from __future__ import annotations

import gzip
import os
import subprocess
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.requirements import require_tool

from iopermit.kernel.build.features import detect
from iopermit.kernel.build.fingerprint import fingerprint
from iopermit.kernel.build.patches.mail import read_diffs
from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.build.source import Source
from iopermit.kernel.build.tree import require_checkable
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TREE = {"kernel/a.c": "1\n2\n3\n4\n5\n6\n7\n", "kernel/b.c": "b\n", "kernel/c.c": "c\nd\ne\nf\n"}
PATCH = """\
diff --git a/kernel/a.c b/kernel/a.c
index 1111111..2222222 100644
--- a/kernel/a.c
+++ b/kernel/a.c
@@ -1,4 +1,4 @@
 1
-2
+two
 3
 4
@@ -5,3 +5,4 @@
 5
 6
+six
 7
diff --git a/kernel/b.c b/kernel/b.c
deleted file mode 100644
index 1111111..0000000
--- a/kernel/b.c
+++ /dev/null
@@ -1 +0,0 @@
-b
diff --git a/kernel/c.c b/kernel/d.c
old mode 100644
new mode 100755
similarity index 80%
rename from kernel/c.c
rename to kernel/d.c
index 1111111..2222222
--- a/kernel/c.c
+++ b/kernel/d.c
@@ -1,4 +1,4 @@
 c
 d
-e
+E
 f
diff --git a/kernel/new.c b/kernel/new.c
new file mode 100644
index 0000000..1111111
--- /dev/null
+++ b/kernel/new.c
@@ -0,0 +1,2 @@
+x
+y
\\ No newline at end of file
""".splitlines()
DAMAGE = st.sampled_from(
    [
        *(
            "drop",
            "twice",
            "swap",
            "cut",
            "",
            " ",
            "+",
            "-",
            "\\ No newline at end of file",
            "text",
        ),
        *("--- a/kernel/a.c", "+++ b/kernel/a.c", "--- /dev/null", "+++ /dev/null", "+x", "-1"),
        *("@@ -1 +1 @@", "@@ -1,3 +1,3 @@", "@@ -0,0 +1 @@", "@@ -5,2 +5,3 @@", " 5"),
        *("diff --git a/kernel/a.c b/kernel/a.c", "diff --git a/kernel/b.c b/kernel/e.c"),
        *("rename from kernel/b.c", "rename to kernel/e.c", "copy from kernel/c.c"),
        *("copy to kernel/e.c", "new file mode 100644", "new file mode 120000"),
        *("deleted file mode 100644", "old mode 100644", "new mode 100755"),
        *("similarity index 100%", "index 1111111..2222222 100755", "GIT binary patch"),
        *("Binary files a/kernel/a.c and b/kernel/a.c differ", "> @@ -1 +1 @@", "\x85", "-- "),
    ]
)
DAMAGES = st.lists(st.tuples(st.integers(0, 60), DAMAGE), max_size=3)


def damaged(damages: list[tuple[int, str]]) -> str:
    """Return the patch with lines left out, doubled, swapped, or put between."""
    lines = list(PATCH)
    for number, damage in damages:
        at = number % (len(lines) + 1)
        if damage == "cut":
            lines = lines[:at]
        elif damage == "drop":
            del lines[at : at + 1]
        elif damage == "twice":
            lines[at:at] = lines[at : at + 1]
        elif damage == "swap":
            lines[at : at + 2] = lines[at : at + 2][::-1]
        else:
            lines.insert(at, damage)
    return "\n".join(lines) + "\n"


def made_tree(directory: Path) -> Path:
    """Write the files that the patch is for."""
    for path, text in TREE.items():
        (directory / "tree" / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / "tree" / path).write_text(text)
    return directory / "tree"


def files(tree: Path) -> dict[str, tuple[bytes, bool]]:
    """Return the bytes of the files of a tree, and whether each can be executed."""
    paths = [path for path in tree.rglob("*") if path.is_file()]
    return {
        str(path.relative_to(tree)): (path.read_bytes(), os.access(path, os.X_OK)) for path in paths
    }


@settings(max_examples=200)
@given(DAMAGES)
def test_what_is_applied_is_what_git_applies(
    tmp_path_factory: pytest.TempPathFactory, damages: list[tuple[int, str]]
) -> None:
    """However a patch is damaged, no file is left as git would not leave it."""
    directory = tmp_path_factory.mktemp("damaged")
    tree, patch = made_tree(directory), directory / "patch"
    patch.write_text(damaged(damages))
    try:
        source = apply_patches(Source(tree), [patch])
    except KernelTreeError:
        return
    made = {
        path: (source.read(path), source.is_executable(path)) for path in {*TREE, *source.changed}
    }
    command = [str(require_tool("git")), "apply", "--whitespace=nowarn", str(patch)]
    environment = os.environ | {"GIT_CEILING_DIRECTORIES": str(directory)}
    subprocess.run(command, cwd=tree, check=True, capture_output=True, env=environment)
    assert files(tree) == {path: what for path, what in made.items() if what[0] is not None}


def test_the_patch_applies_when_nothing_is_damaged(tmp_path: Path) -> None:
    """The patch that the other tests damage has every form, and is read whole."""
    (tmp_path / "patch").write_text(damaged([]))
    assert apply_patches(Source(made_tree(tmp_path)), [tmp_path / "patch"]).changed == {
        "kernel/a.c": b"1\ntwo\n3\n4\n5\n6\nsix\n7\n",
        "kernel/b.c": None,
        "kernel/c.c": None,
        "kernel/d.c": b"c\nd\nE\nf\n",
        "kernel/new.c": b"x\ny",
    }


MAIL = (
    "From a Thu Jan  1 00:00:00 2026\nFrom: a@b\nSubject: [PATCH 1/1] x\nMIME-Version: 1.0\n"
    "Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/plain\n"
    "Content-Transfer-Encoding: quoted-printable\n\ntext\n" + "\n".join(PATCH) + "\n--B--\n"
).encode()


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.integers(0, len(MAIL)),
            st.integers(0, 30),
            st.binary(max_size=6)
            | st.sampled_from([b"\n", b"\n\n", b"=", b"--B\n", b"\0", b"\r\n"]),
        ),
        max_size=4,
    ),
    st.booleans(),
)
def test_no_mail_is_an_internal_error(
    tmp_path_factory: pytest.TempPathFactory, damages: list[tuple[int, int, bytes]], packed: bool
) -> None:
    """Whatever bytes a mail has, it is read, or refused with a message of one kind."""
    data = MAIL
    for at, length, put in damages:
        data = data[:at] + put + data[at + length :]
    directory = tmp_path_factory.mktemp("mail")
    (directory / "mail").write_bytes(gzip.compress(data) if packed else data)
    try:
        texts = read_diffs(directory / "mail")
        assert texts
        apply_patches(Source(made_tree(directory)), [directory / "mail"])
    except KernelTreeError as error:
        message = str(error)
    else:
        message = str(directory / "mail")
    assert str(directory / "mail") in message


WORDS = st.sampled_from(
    [
        *("VERSION", "PATCHLEVEL", "SUBLEVEL", "EXTRAVERSION", " = ", "=", "6", "12", "six", "\n"),
        *(
            "9" * 5000,
            "\0",
            "/*",
            "*/",
            "//",
            "struct pcpu_hot {",
            "\n}",
            "source ",
            '"',
            "Kconfig",
        ),
        *("../../x", "copy_thread(struct task_struct *", ",", "config 64BIT\n", "\x85", " "),
    ]
)


@settings(max_examples=200)
@given(st.dictionaries(
    st.sampled_from(["Makefile", "Kconfig", "arch/x86/Kconfig", "include/linux/sched/task.h"]),
    st.lists(WORDS, max_size=12).map("".join),
))  # fmt: skip
def test_no_tree_is_an_internal_error(
    tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str]
) -> None:
    """Whatever its files say, a tree is one that can be checked, or refused with its name."""
    tree = tmp_path_factory.mktemp("tree")
    (tree / "arch/x86/kernel").mkdir(parents=True)
    (tree / "arch/x86/kernel/ioport.c").touch()
    (tree / "Kbuild").touch()
    for path, text in {"Makefile": "VERSION = 6\nPATCHLEVEL = 1\n", **texts}.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    source = Source(tree)
    detect(source)
    fingerprint(source)
    try:
        version = require_checkable(source)
        message = f"{tree} is {version}"
    except KernelTreeError as error:
        message = str(error)
    assert str(tree) in message
