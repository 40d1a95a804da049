"""Reads a file that a user names, of whatever kind: never without end, never waiting for ever."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_PART: Final = 1 << 20


def read_input(file: Path | str, most: int, *, regular: bool = False) -> bytes:
    """Return what a file has.

    A pipe is read up to its end; one that nobody has open for writing is empty. Directories and
    sockets are refused.

    Args:
        file: its name.
        most: how many bytes it may have.
        regular: whether devices and pipes are refused too: for what is read more than once.

    Raises:
        OSError: it cannot be read, or is of the wrong kind or too long; ``strerror`` says which.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except ValueError as error:  # a NUL, or a lone surrogate
        raise OSError(errno.EINVAL, "no file can have such a name", str(file)) from error
    with os.fdopen(descriptor, "rb", buffering=0) as stream:
        mode = os.fstat(descriptor).st_mode
        if regular and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise OSError(errno.EINVAL, "it is not a regular file", str(file))
        os.set_blocking(descriptor, True)
        parts, size = [], 0
        while part := stream.read(_PART):
            parts.append(part)
            size += len(part)
            if size > most:
                raise OSError(errno.EFBIG, f"it has more than {most:,} bytes", str(file))
    return b"".join(parts)
