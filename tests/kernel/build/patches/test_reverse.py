"""Taking patches back: exactly what was applied, the last change first."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.kernel.patching import LINES, NAME, diff, edited, text

from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.build.source import Source
from iopermit.kernel.errors import KernelTreeError

GIT_FORMS = f"""\
diff --git a/kernel/new.c b/kernel/new.c
new file mode 100755
--- /dev/null
+++ b/kernel/new.c
@@ -0,0 +1,2 @@
+one
+two
diff --git a/kernel/gone.c b/kernel/gone.c
deleted file mode 100644
--- a/kernel/gone.c
+++ /dev/null
@@ -1 +0,0 @@
-gone
diff --git a/{NAME} b/kernel/b.c
similarity index 90%
rename from {NAME}
rename to kernel/b.c
--- a/{NAME}
+++ b/kernel/b.c
@@ -1,4 +1,4 @@
-line 1
+line one
 line 2
 line 3
 line 4
"""


def tree(directory: Path, **files: bytes) -> Source:
    """Return a tree with the usual file, and others of kernel/."""
    (directory / "tree/kernel").mkdir(parents=True)
    (directory / "tree" / NAME).write_bytes(text(LINES))
    for name, data in files.items():
        (directory / "tree/kernel" / f"{name}.c").write_bytes(data)
    return Source(directory / "tree")


def written(directory: Path, *patches: str) -> list[Path]:
    """Write patches to files."""
    files = []
    for number, patch in enumerate(patches):
        files.append(directory / f"{number}.patch")
        files[-1].write_text(patch)
    return files


def contents(source: Source) -> dict[str, bytes | None]:
    """Return what the files of kernel/ that a patch touched are now."""
    return {path: source.read(path) for path in source.changed}


@given(st.lists(st.tuples(st.integers(1, 40), st.none() | st.just("other")), max_size=6), st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_applied_and_taken_back_is_as_before(
    changes: list[tuple[int, str | None]], data: st.DataObject
) -> None:
    """For any change with lines of context the tree is bit for bit what it was."""
    changed = edited(*changes)
    if changed == LINES:
        return
    patch = diff(LINES, changed, context=data.draw(st.integers(1, 4)))
    with TemporaryDirectory() as folder:
        source, files = tree(Path(folder)), written(Path(folder), patch)
        applied = apply_patches(source, files)
        assert contents(applied) == {NAME: text(changed)}
        assert contents(apply_patches(applied, files, reverse=True)) == {NAME: text(LINES)}


def test_files_that_come_go_and_move(tmp_path: Path) -> None:
    """A created file goes, a deleted one comes back, a renamed one is where it was."""
    source, files = tree(tmp_path, gone=b"gone\n"), written(tmp_path, GIT_FORMS)
    applied = apply_patches(source, files)
    assert applied.read("kernel/new.c") == b"one\ntwo\n"
    assert applied.is_executable("kernel/new.c")
    assert applied.read("kernel/gone.c") is None
    back = apply_patches(applied, files, reverse=True)
    assert back.read("kernel/new.c") is None
    assert back.read("kernel/gone.c") == b"gone\n"
    assert (back.read(NAME), back.read("kernel/b.c")) == (text(LINES), None)


def test_a_series_is_taken_back_from_its_end(tmp_path: Path) -> None:
    """The second patch needs the first, so it goes first."""
    steps = [LINES]
    for number in range(3):
        steps.append(
            [f"{line}{number}" if line.startswith("line 7") else line for line in steps[-1]]
        )
    patches = [diff(before, after) for before, after in itertools.pairwise(steps)]
    source, files = tree(tmp_path), written(tmp_path, *patches)
    applied = apply_patches(source, files)
    assert applied.read(NAME) == text(steps[-1])
    assert apply_patches(applied, files, reverse=True).read(NAME) == text(LINES)
    random.Random(1).shuffle(files)
    with pytest.raises(KernelTreeError, match="cannot be taken back"):
        apply_patches(applied, files[::-1], reverse=True)


def test_a_patch_that_is_not_applied(tmp_path: Path) -> None:
    """The message says so, and names the hunk."""
    source, files = tree(tmp_path), written(tmp_path, diff(LINES, edited((20, "twenty"))))
    with pytest.raises(KernelTreeError) as error:
        apply_patches(source, files, reverse=True)
    assert "the patch cannot be taken back: kernel/a.c, hunk 1 of 1" in str(error.value)
    assert "it seems not to be applied" in str(error.value)


def test_a_copy_cannot_be_taken_back(tmp_path: Path) -> None:
    """Nothing tells the copy from a file that was there."""
    copy = f"diff --git a/{NAME} b/kernel/b.c\nsimilarity index 100%\ncopy from {NAME}\n"
    files = written(tmp_path, f"{copy}copy to kernel/b.c\n")
    applied = apply_patches(tree(tmp_path), files)
    with pytest.raises(KernelTreeError, match="a copy cannot be taken back"):
        apply_patches(applied, files, reverse=True)
