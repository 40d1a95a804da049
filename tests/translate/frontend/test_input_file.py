"""Tests of iopermit.translate.frontend.input_file: every kind of file is read, or refused."""

import errno
import os
import socket
import threading
from pathlib import Path

import pytest

from iopermit.translate.frontend.input_file import read_input


def test_file_is_read_whole(tmp_path: Path) -> None:
    """A regular file of the greatest length gives all its bytes."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * 3_000_000)
    assert read_input(file, 3_000_000) == b"x" * 3_000_000


def test_longer_file_is_refused(tmp_path: Path) -> None:
    """A file with one byte more is refused, with the limit."""
    file = tmp_path / "file"
    file.write_bytes(b"x" * 1001)
    with pytest.raises(OSError, match="more than 1,000 bytes") as caught:
        read_input(file, 1000)
    assert caught.value.errno == errno.EFBIG


def test_pipe_without_writer_is_empty(tmp_path: Path) -> None:
    """A pipe that nobody has open for writing does not stop the command."""
    os.mkfifo(tmp_path / "pipe")
    assert read_input(tmp_path / "pipe", 10) == b""


def test_pipe_is_read_up_to_its_end() -> None:
    """What is written to a pipe later, and in parts, is waited for."""
    reading, writing = os.pipe()

    def write() -> None:
        for part in (b"one ", b"two"):
            os.write(writing, part)
        os.close(writing)

    writer = threading.Timer(0.05, write)
    writer.start()
    assert read_input(f"/dev/fd/{reading}", 100) == b"one two"
    writer.join()
    os.close(reading)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("no", errno.ENOENT),
        ("x" * 300, errno.ENAMETOOLONG),
        ("nul\0", errno.EINVAL),
        ("half of a pair \ud800", errno.EINVAL),
        (".", errno.EISDIR),
        ("socket", errno.ENXIO),
        ("loop", errno.ELOOP),
    ],
)
def test_what_is_no_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, number: int
) -> None:
    """Names that no file has, directories and sockets are refused with the system's reason."""
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(OSError) as caught:  # noqa: PT011 - the number is looked at
            read_input(name, 10)
    assert caught.value.errno == number
    assert caught.value.strerror


def test_only_a_regular_file(tmp_path: Path) -> None:
    """Where a file is read more than once, pipes and devices are refused."""
    os.mkfifo(tmp_path / "pipe")
    for file in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            read_input(file, 10, regular=True)
