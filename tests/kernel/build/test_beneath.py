"""Files below a directory, reached without following links."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build import beneath
from iopermit.kernel.build.beneath import (
    link_beneath,
    link_on_the_way,
    read_beneath,
    unlink_beneath,
    write_beneath,
)
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a directory with links to another, which has a file."""
    (tmp_path / "root/real").mkdir(parents=True)
    (tmp_path / "root/real/a").write_text("a")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_text("secret")
    (tmp_path / "root/directory").symlink_to(tmp_path / "outside")
    (tmp_path / "root/file").symlink_to(tmp_path / "outside/a")
    (tmp_path / "root/dangling").symlink_to(tmp_path / "outside/new")
    return tmp_path / "root"


def test_a_file_is_created_with_its_directories(root: Path) -> None:
    """The file has the bytes and the mode that were asked for."""
    write_beneath(root, "new/deep/file", b"data", 0o755)
    assert (root / "new/deep/file").read_bytes() == b"data"
    assert (root / "new/deep/file").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("path", ["directory/new", "directory/deep/new", "file", "dangling"])
@pytest.mark.parametrize(
    "write",
    [
        lambda root, path: write_beneath(root, path, b"written", 0o644),
        lambda root, path: link_beneath(root, path, root),
    ],
)
def test_nothing_is_written_through_a_link(
    root: Path, path: str, write: Callable[[Path, str], None]
) -> None:
    """A link as a directory or as the file is an error, and what it leads to stays as it was."""
    with pytest.raises(OSError, match=r"."):
        write(root, path)
    outside = root.parent / "outside"
    assert {entry.name: entry.read_text() for entry in outside.iterdir()} == {"a": "secret"}


def test_nothing_is_removed_through_a_link(root: Path) -> None:
    """A link is removed itself; a file behind a linked directory is not."""
    with pytest.raises(OSError, match=r"."):
        unlink_beneath(root, "directory/a")
    unlink_beneath(root, "file")
    unlink_beneath(root, "real/none")
    assert (root.parent / "outside/a").read_text() == "secret"
    assert not (root / "file").is_symlink()


def test_nothing_is_read_through_a_link(root: Path) -> None:
    """Only a regular file below the directory is read; a pipe is no such file, and no wait."""
    os.mkfifo(root / "pipe")
    assert read_beneath(root, "real/a") == b"a"
    for path in ("file", "directory/a", "dangling", "real", "pipe", "real/none"):
        assert read_beneath(root, path) is None


@pytest.mark.parametrize("path", ["../outside/a", "real/../../outside/a", "/etc/passwd", "real//a"])
def test_no_path_leads_out(root: Path, path: str) -> None:
    """A path with `..`, an absolute one or one with an empty component is not walked."""
    with pytest.raises(ValueError, match=r"."):
        write_beneath(root, path, b"", 0o644)


def test_a_file_that_is_too_large(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the limit is refused, and not read whole."""
    monkeypatch.setattr(beneath, "LARGEST_FILE", 3)
    (root / "large").write_bytes(b"1234")
    with pytest.raises(KernelTreeError, match="large has more than"):
        read_beneath(root, "large")


def test_the_first_link_of_a_path(root: Path) -> None:
    """The component that is a link is named, the file itself included."""
    assert link_on_the_way(root, "directory/deep/new") == "directory"
    assert link_on_the_way(root, "dangling") == "dangling"
    assert link_on_the_way(root, "real/a") is None
