"""The text of a tree with patches applied."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build.fingerprint import fingerprint
from iopermit.kernel.build.source import Source
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from pathlib import Path


def test_a_changed_file_is_what_the_patch_makes_of_it(tmp_path: Path) -> None:
    """Changed bytes come before those of the tree, and a removed file is none."""
    (tmp_path / "a").write_text("tree")
    (tmp_path / "b").write_text("tree")
    source = Source(tmp_path, {"a": b"patch", "b": None})
    assert (source.read("a"), source.read("b"), source.read("c")) == (b"patch", None, None)


@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_is_no_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A pipe or a device in place of a source file is one message, and nobody waits for it."""
    (tmp_path / "kernel").mkdir()
    if kind == "pipe":
        os.mkfifo(tmp_path / "kernel/a.c")
    else:
        (tmp_path / "kernel/a.c").symlink_to("/dev/zero")
    with pytest.raises(KernelTreeError, match=r"kernel/a\.c is not a regular file"):
        fingerprint(Source(tmp_path))


@pytest.mark.parametrize("name", ["a\0b", "9" * 5000])
def test_a_name_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    """Kconfig may name such a file; it is not there, and no error."""
    (tmp_path / "Kconfig").write_text(f"source {name}\n")
    assert Source(tmp_path).read(name) is None
    assert fingerprint(Source(tmp_path))


def test_a_changed_mode_is_another_content(tmp_path: Path) -> None:
    """A patch that only makes a script executable has a fingerprint of its own."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/a.sh").write_text("true\n")
    changed: dict[str, bytes | None] = {"scripts/a.sh": b"true\n"}
    plain = Source(tmp_path, changed, modes={"scripts/a.sh": False})
    made = Source(tmp_path, changed, modes={"scripts/a.sh": True})
    assert made.changes_mode("scripts/a.sh")
    assert not plain.changes_mode("scripts/a.sh")
    assert fingerprint(plain) != fingerprint(made)
