"""Sealed directories: any change of what is in them is noticed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.support.cache.keys import KEY, ORIGIN, OTHER_KEY

from iopermit.cache.directory_seal import SEAL, require_sealed, seal_directory
from iopermit.cache.errors import RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Give a sealed directory with a program, a file, an empty directory and a link."""
    path = tmp_path / "sealed"
    (path / "scripts/empty").mkdir(parents=True)
    (path / "scripts/fixdep").write_bytes(b"a program")
    (path / "scripts/fixdep").chmod(0o775)
    (path / "file").write_bytes(b"")
    (path / "link").symlink_to("/usr/src")
    seal_directory(path, ORIGIN, KEY)
    return path


def relink(path: Path) -> None:
    """Let the link lead elsewhere."""
    (path / "link").unlink()
    (path / "link").symlink_to("/tmp")


def move(path: Path) -> None:
    """Exchange two files."""
    (path / "file").rename(path / "aside")
    (path / "scripts/fixdep").rename(path / "file")
    (path / "aside").rename(path / "scripts/fixdep")


def replace_by_link(path: Path) -> None:
    """Let a link to the same content stand for a file."""
    (path / "scripts/fixdep").rename(path.parent / "elsewhere")
    (path / "scripts/fixdep").symlink_to(path.parent / "elsewhere")


def replace_seal_by_pipe(path: Path) -> None:
    """Put a pipe in place of the seal."""
    (path / SEAL).unlink()
    os.mkfifo(path / SEAL)


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda path: (path / "scripts/fixdep").write_bytes(b"a Program"),
    "cut": lambda path: (path / "scripts/fixdep").write_bytes(b""),
    "mode": lambda path: (path / "file").chmod(0o755),
    "more": lambda path: (path / "scripts/more").write_bytes(b""),
    "more directories": lambda path: (path / "scripts/empty/more").mkdir(),
    "less": lambda path: (path / "file").unlink(),
    "less directories": lambda path: (path / "scripts/empty").rmdir(),
    "link": relink,
    "moved": move,
    "link for a file": replace_by_link,
    "pipe": lambda path: os.mkfifo(path / "pipe"),
    "open": lambda path: path.chmod(0o755),
    "cut seal": lambda path: (path / SEAL).write_bytes(b""),
    "pipe for a seal": replace_seal_by_pipe,
}


def test_what_was_sealed_is_accepted(directory: Path) -> None:
    """A directory that was left alone is accepted, also when it was moved."""
    require_sealed(directory, ORIGIN, KEY)
    require_sealed(directory.rename(directory.with_name("moved")), ORIGIN, KEY)


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_rejected(directory: Path, change: str) -> None:
    """Whatever is changed, added or taken away, the directory is not accepted any more."""
    CHANGES[change](directory)
    with pytest.raises(RejectedError):
        require_sealed(directory, ORIGIN, KEY)


def test_another_key_or_name(directory: Path, tmp_path: Path) -> None:
    """A directory sealed with another key, or a link to one, is not accepted."""
    with pytest.raises(RejectedError, match="sealed with another key"):
        require_sealed(directory, ORIGIN, OTHER_KEY)
    (tmp_path / "link").symlink_to(directory)
    with pytest.raises(RejectedError, match="not a directory"):
        require_sealed(tmp_path / "link", ORIGIN, KEY)


def test_without_a_seal(directory: Path) -> None:
    """A directory that was never sealed is as good as missing."""
    (directory / SEAL).unlink()
    with pytest.raises(FileNotFoundError):
        require_sealed(directory, ORIGIN, KEY)


def test_what_cannot_be_sealed(directory: Path) -> None:
    """A directory with a pipe in it is not sealed."""
    (directory / SEAL).unlink()
    os.mkfifo(directory / "pipe")
    with pytest.raises(RejectedError, match="neither file nor directory"):
        seal_directory(directory, ORIGIN, KEY)
    assert not (directory / SEAL).exists()


def test_directories_that_are_too_deep(directory: Path) -> None:
    """Directories that are added in each other are not followed to their end."""
    (directory / "/".join(["d"] * 200)).mkdir(parents=True)
    with pytest.raises(RejectedError, match="too deep"):
        require_sealed(directory, ORIGIN, KEY)
