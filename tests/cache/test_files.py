"""Single files of the cache: only the user's own regular files, written whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from iopermit.cache.errors import RejectedError
from iopermit.cache.files import OPEN_TO_OTHERS, read_own, write_own


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """A file has what was written last, its owner alone may read it, and nothing else is left."""
    for content in (b"one", b"two"):
        write_own(tmp_path / "file", content)
        assert read_own(tmp_path / "file", OPEN_TO_OTHERS) == content
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_first_of_two_stays_if_asked(tmp_path: Path) -> None:
    """Without leave to replace, a file that is there stays as it is."""
    write_own(tmp_path / "file", b"one", replace=False)
    with pytest.raises(FileExistsError):
        write_own(tmp_path / "file", b"two", replace=False)
    assert read_own(tmp_path / "file") == b"one"
    assert len(list(tmp_path.iterdir())) == 1


def test_content_is_on_the_disk_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is synced before it gets its name, and the directory afterwards."""
    events: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        events.append(f"sync {Path(f'/proc/self/fd/{descriptor}').readlink().name[:5]}")
        sync(descriptor)

    def replaced(self: Path, target: Path) -> Path:
        events.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    (tmp_path / "shelf").mkdir()
    write_own(tmp_path / "shelf/file", b"content")
    assert events == ["sync .file", "rename", "sync shelf"]


def test_a_write_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the disk is full, what was there before is still there, and nothing else."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    write_own(tmp_path / "file", b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_own(tmp_path / "file", b"after")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    """A pipe is not waited for, a directory is not read, and a link is not followed."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("file")
    for name in ("pipe", "directory"):
        with pytest.raises(RejectedError, match="not a regular file"):
            read_own(tmp_path / name)
    with pytest.raises(OSError, match=os.strerror(errno.ELOOP)):
        read_own(tmp_path / "link")


def test_rights_of_others(tmp_path: Path) -> None:
    """A file that others can write to is rejected, and a secret that they can read."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    for mode in (0o620, 0o602):
        file.chmod(mode)
        with pytest.raises(RejectedError, match="others have rights"):
            read_own(file)
    file.chmod(0o640)
    assert read_own(file) == b""
    with pytest.raises(RejectedError, match="others have rights"):
        read_own(file, OPEN_TO_OTHERS)


def test_a_file_without_an_end(tmp_path: Path) -> None:
    """A file that claims to have a terabyte is not read."""
    with (tmp_path / "file").open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(RejectedError, match="too large"):
        read_own(tmp_path / "file")


def test_another_users_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of another user's is rejected."""
    (tmp_path / "file").write_bytes(b"")
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(RejectedError, match="belongs to another user"):
        read_own(tmp_path / "file")
