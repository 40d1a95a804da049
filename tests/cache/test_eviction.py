"""What was used longest ago is removed first, and nothing that is in use."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from iopermit.cache.eviction import discard, entries, remove, trim
from iopermit.cache.locks import locked

if TYPE_CHECKING:
    from pathlib import Path


def fill(shelf: Path, count: int, size: int = 100) -> None:
    """Make files `0` to `count - 1` that were used in this order."""
    for number in range(count):
        (shelf / str(number)).write_bytes(b"x" * size)
        os.utime(shelf / str(number), (number, number))


def fill_directories(shelf: Path, count: int) -> None:
    """Make directories with 100 bytes each, that were used in the order of their names."""
    for number in range(count):
        (shelf / str(number) / "inside").mkdir(parents=True)
        (shelf / str(number) / "inside/file").write_bytes(b"x" * 60)
        (shelf / str(number) / "file").write_bytes(b"x" * 40)
        os.utime(shelf / str(number), (number, number))


def names(shelf: Path) -> list[str]:
    """Return the names of what is there but for locks."""
    return sorted(path.name for path in shelf.iterdir() if path.suffix != ".lock")


def test_entries(tmp_path: Path) -> None:
    """Files and directories are told apart, in the order of their use, with sizes."""
    fill(tmp_path, 2)
    (tmp_path / "7").mkdir()
    (tmp_path / "7/file").write_bytes(b"x" * 30)
    (tmp_path / "7/link").symlink_to("/usr")
    (tmp_path / "some.lock").touch()
    files = entries(tmp_path, directories=False)
    assert [(kept.path.name, kept.size, kept.used) for kept in files] == [
        ("0", 100, 0),
        ("1", 100, 1),
    ]
    (directory,) = entries(tmp_path, directories=True)
    assert (directory.path.name, directory.size) == ("7", 30 + len("/usr"))


@pytest.mark.parametrize(("limit", "left"), [(500, 5), (499, 4), (250, 2), (0, 0)])
def test_the_oldest_files_go_first(tmp_path: Path, limit: int, left: int) -> None:
    """At most the limit is left, of what was used last; nothing goes that need not."""
    fill(tmp_path, 5)
    trim(tmp_path, limit, directories=False)
    assert names(tmp_path) == [str(number) for number in range(5 - left, 5)]


def test_the_oldest_directories_go_first(tmp_path: Path) -> None:
    """Directories go whole; one that was used just now stays, since it may still be read."""
    fill_directories(tmp_path, 4)
    trim(tmp_path, 250, directories=True)
    assert names(tmp_path) == ["2", "3"]
    os.utime(tmp_path / "2")
    trim(tmp_path, 0, directories=True)
    assert names(tmp_path) == ["2"]


def test_files_that_are_being_written_stay(tmp_path: Path) -> None:
    """A file without its name yet stays, unless its writer must have died long ago."""
    (tmp_path / ".new").write_bytes(b"x" * 100)
    (tmp_path / ".old").write_bytes(b"x" * 100)
    os.utime(tmp_path / ".old", (0, 0))
    trim(tmp_path, 0, directories=False)
    assert names(tmp_path) == [".new"]


def test_directories_in_use_stay(tmp_path: Path) -> None:
    """A directory whose lock is held, or that is locked itself, is passed over."""
    fill_directories(tmp_path, 4)
    descriptor = os.open(tmp_path / "1", os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    with locked(tmp_path, "0"):
        assert not remove(tmp_path / "0")
        trim(tmp_path, 250, directories=True)
    os.close(descriptor)
    assert names(tmp_path) == ["0", "1"]


def test_one_process_at_a_time_trims(tmp_path: Path) -> None:
    """While another process trims, nothing is done."""
    fill(tmp_path, 2)
    with locked(tmp_path, "trim"):
        trim(tmp_path, 0, directories=False)
    assert names(tmp_path) == ["0", "1"]


def test_a_shelf_that_is_gone(tmp_path: Path) -> None:
    """A directory that has disappeared needs no room."""
    trim(tmp_path / "gone", 0, directories=False)
    assert remove(tmp_path / "gone")
    assert not (tmp_path / "gone").exists()


def test_removing_does_not_follow_links(tmp_path: Path) -> None:
    """Links are removed themselves, at the top and inside, and pipes like files."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").touch()
    shelf = tmp_path / "shelf"
    (shelf / "directory").mkdir(parents=True)
    (shelf / "directory/link").symlink_to(tmp_path / "precious")
    (shelf / "link").symlink_to(tmp_path / "precious")
    (shelf / "other").symlink_to(tmp_path / "precious")
    os.mkfifo(shelf / "pipe")
    assert all(remove(shelf / name) for name in ("directory", "link", "pipe"))
    discard(shelf / "other")
    assert list(shelf.iterdir()) == []
    assert (tmp_path / "precious/file").exists()


def test_directories_that_are_very_deep(tmp_path: Path) -> None:
    """Directories in each other, more than functions can call each other, are out of the way."""
    dig = "mkdir one; cd one; i=0; while [ $i -lt 1500 ]; do mkdir d; cd -P d; i=$((i+1)); done"
    subprocess.run(["/bin/sh", "-c", dig], cwd=tmp_path, check=True)
    try:
        assert [kept.size for kept in entries(tmp_path, directories=True)] == [0]
        assert remove(tmp_path / "one")
        assert not (tmp_path / "one").exists()
    finally:
        # pytest itself cannot.
        subprocess.run(["/bin/rm", "-rf", *tmp_path.iterdir()], check=True)


def test_processes_that_trim_and_write_at_once(tmp_path: Path) -> None:
    """Processes that write and trim together fail nowhere, and keep the limit in the end."""
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from iopermit.cache.eviction import trim\nfrom iopermit.cache.files import write_own\n"
        "shelf = Path(sys.argv[1])\n"
        "for number in range(40):\n"
        "    write_own(shelf / f'{sys.argv[2]}-{number}', b'x' * 100)\n"
        "    trim(shelf, 1000, directories=False)\n"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(number)])
        for number in range(3)
    ]
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
    trim(tmp_path, 1000, directories=False)
    assert sum(kept.size for kept in entries(tmp_path, directories=False)) == 1000
