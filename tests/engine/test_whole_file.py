"""Tests of iopermit.engine.whole_file: all of a file or nothing, and devices stay devices."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from iopermit.engine.whole_file import whole_file


def test_old_content_stays_until_the_end(tmp_path: Path) -> None:
    """The file changes when the block ends, at once, and no other file is left."""
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with whole_file(file) as stream:
        stream.write(b"new")
        stream.flush()
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_exception_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    """What ends the block by an exception, Ctrl-C included, changes and leaves nothing."""
    file = tmp_path / "file"
    file.write_bytes(b"old")
    with pytest.raises(error), whole_file(file) as stream:  # noqa: PT012 - a block that fails
        stream.write(b"half of it")
        raise error
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


def test_device_is_not_replaced() -> None:
    """A device is written to; it stays what it is."""
    with whole_file(Path("/dev/null")) as stream:
        stream.write(b"nothing")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


def test_neighbours_are_left_alone(tmp_path: Path) -> None:
    """No other file of the directory is touched, whatever it is called; links are followed."""
    names = ["file.new", ".file.tmp", "file~"]
    for name in names:
        (tmp_path / name).write_bytes(b"a neighbour")
    (tmp_path / "link").symlink_to("file")
    with whole_file(tmp_path / "link") as stream:
        stream.write(b"text")
    assert (tmp_path / "file").read_bytes() == b"text"
    assert (tmp_path / "link").is_symlink()
    assert {(tmp_path / name).read_bytes() for name in names} == {b"a neighbour"}


def test_longest_name(tmp_path: Path) -> None:
    """A name may be as long as the file system allows."""
    file = tmp_path / ("x" * 255)
    with whole_file(file) as stream:
        stream.write(b"text")
    assert file.read_bytes() == b"text"
