"""Files below a directory, reached without following any link: component by component.

A path is never handed to the host's kernel whole. Each directory on the way is opened by its name
in the one before, and a symbolic link in it is an error, so that nothing is read, written or
removed anywhere else, whatever a tree or a build has put there.
"""

from __future__ import annotations

import contextlib
import os
import stat
from typing import TYPE_CHECKING, Final

from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_FILE: Final = 64 << 20
"""Bytes of the largest file that is read: about three times the largest of a kernel tree."""

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_beneath(root: Path, path: str, data: bytes, mode: int) -> None:
    """Create a file, and the directories that it lies in.

    Args:
        root: The directory.
        path: The file, relative to it, with slashes.
        data: Its bytes.
        mode: Its permission bits.

    Raises:
        OSError: A component is a link or no directory, the file is there already, or it cannot be
            written.
    """
    with _parent(root, path, make=True) as (directory, name):
        descriptor = os.open(name, _CREATE, 0o600, dir_fd=directory)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            os.fchmod(descriptor, mode)


def read_beneath(root: Path, path: str) -> bytes | None:
    """Return the bytes of a regular file; `None` if there is none, or a link on the way to it.

    Raises:
        KernelTreeError: The file is larger than `LARGEST_FILE`.
        OSError: It cannot be read.
    """
    try:
        with _parent(root, path) as (directory, name):
            descriptor = os.open(name, _READ, dir_fd=directory)
    except OSError:
        return None
    try:
        return read_regular(descriptor, root / path) if _is_regular(descriptor) else None
    finally:
        os.close(descriptor)


def unlink_beneath(root: Path, path: str) -> None:
    """Remove a file or a link, if it is there.

    Raises:
        OSError: A directory on the way is a link, or the file cannot be removed.
    """
    with contextlib.suppress(FileNotFoundError), _parent(root, path) as (directory, name):
        os.unlink(name, dir_fd=directory)


def link_beneath(root: Path, path: str, target: Path) -> None:
    """Create a symbolic link.

    Raises:
        OSError: A directory on the way is a link, or the link cannot be created.
    """
    with _parent(root, path) as (directory, name):
        os.symlink(target, name, dir_fd=directory)


def read_regular(descriptor: int, name: Path) -> bytes:
    """Return the bytes of an open file of a tree or a build.

    Raises:
        KernelTreeError: It is no regular file, or larger than `LARGEST_FILE`.
        OSError: It cannot be read.
    """
    if not _is_regular(descriptor):
        raise KernelTreeError(f"{name} is not a regular file, but a pipe, device or socket")
    with os.fdopen(os.dup(descriptor), "rb") as file:
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise KernelTreeError(f"{name} has more than {LARGEST_FILE >> 20} MB: no source file")
    return data


def link_on_the_way(root: Path, path: str) -> str | None:
    """Return the first component of a path, with those before it, that is a symbolic link."""
    names = path.split("/")
    for count in range(1, len(names) + 1):
        part = "/".join(names[:count])
        if (root / part).is_symlink():
            return part
    return None


def _is_regular(descriptor: int) -> bool:
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


@contextlib.contextmanager
def _parent(root: Path, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Give the open directory in which a file lies, and the file's name in it."""
    *names, last = path.split("/")
    if any(name in {"", ".", ".."} for name in (*names, last)):
        raise ValueError(path)
    directory = os.open(root, _DIRECTORY & ~os.O_NOFOLLOW)
    try:
        for name in names:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=directory)
            following = os.open(name, _DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = following
        yield directory, last
    finally:
        os.close(directory)
