"""Locks between processes: a file beside what they are about, which may be removed while held."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUFFIX: Final = ".lock"
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextlib.contextmanager
def locked(directory: Path, name: str, *, wait: bool = True) -> Iterator[bool]:
    """Let one process at a time do something with `name`; give whether it is this one.

    Args:
        directory: Where the lock is kept.
        name: What it is about.
        wait: Whether to wait for another process; else False is given.

    Raises:
        OSError: The lock cannot be made.
    """
    file = directory / f"{name}{SUFFIX}"
    descriptor = _taken(file, wait=wait)
    try:
        yield descriptor is not None
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _taken(file: Path, *, wait: bool) -> int | None:
    """Return a descriptor that holds the lock, or None if another process does."""
    while True:
        descriptor = _opened(file)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            # Whoever held it may have removed the file: then the lock is another file's.
            if file.exists() and os.path.samestat(os.fstat(descriptor), file.stat()):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _opened(file: Path) -> int:
    try:
        return os.open(file, _FLAGS, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    # A link, that iopermit has not made: following it would write somewhere else.
    file.unlink(missing_ok=True)
    return os.open(file, _FLAGS, 0o600)
