"""Reads and writes single files of the cache: the user's own, whole, and on the disk."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

from iopermit.cache.errors import RejectedError

if TYPE_CHECKING:
    from pathlib import Path

_OPEN: Final = os.O_CLOEXEC | os.O_NOFOLLOW
WRITTEN_BY_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_LARGEST: Final = 1 << 28
"""Bytes, a thousand times what an entry has. A file of more may have none of them on the disk."""
UNFINISHED: Final = "."
"""How the names of files begin that are being written."""
OPEN_TO_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def open_own(file: Path, forbidden: int = WRITTEN_BY_OTHERS) -> int:
    """Return a descriptor of a regular file of the user's.

    Args:
        file: The file. A link is not followed, and a pipe not waited for.
        forbidden: Rights that nobody else may have.

    Raises:
        RejectedError: It is something else.
        OSError: It does not exist or cannot be read.
    """
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | _OPEN)
    status = os.fstat(descriptor)
    problem = ""
    if not stat.S_ISREG(status.st_mode):
        problem = "it is not a regular file"
    elif status.st_uid != os.geteuid():
        problem = "it belongs to another user"
    elif status.st_mode & forbidden:
        problem = "others have rights to it"
    if problem:
        os.close(descriptor)
        raise RejectedError(problem)
    return descriptor


def read_own(file: Path, forbidden: int = WRITTEN_BY_OTHERS) -> bytes:
    """Return what is in a file; see `open_own`.

    Raises:
        RejectedError: It is larger than anything that is kept, too.
    """
    with os.fdopen(open_own(file, forbidden), "rb") as stream:
        if os.fstat(stream.fileno()).st_size > _LARGEST:
            raise RejectedError("it is too large; it is made anew")
        return stream.read()


def write_own(file: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a file that only the user can read; after a crash it is there whole or not at all.

    Args:
        file: The file.
        content: What to write.
        replace: Whether it takes the place of a file that is there already.

    Raises:
        OSError: It cannot be written; nothing has changed.
    """
    temporary = file.with_name(f"{UNFINISHED}{file.name}.{os.urandom(8).hex()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        if replace:
            temporary.replace(file)
        else:
            file.hardlink_to(temporary)
    finally:
        temporary.unlink(missing_ok=True)
    sync(file.parent)


def sync(path: Path) -> None:
    """Wait until a file's content, or a directory's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | _OPEN)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
