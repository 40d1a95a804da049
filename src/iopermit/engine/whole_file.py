"""Writes files whole or not at all: what was there before stays until all of the new is on disk."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def whole_file(file: Path) -> Iterator[IO[bytes]]:
    """Give a stream whose content becomes that of a file when the block ends without an exception.

    A link stays a link. A device or a pipe, which cannot be replaced, is written to directly.

    Raises:
        OSError: it cannot be written.
    """
    target = Path(os.path.realpath(file))
    if target.exists() and not target.is_file():
        with target.open("wb") as stream:
            yield stream
    else:
        with _replacement(target) as stream:
            yield stream


@contextlib.contextmanager
def _replacement(target: Path) -> Iterator[IO[bytes]]:
    import tempfile  # takes its time, and most results go to standard output

    # A name of its own length: that of the target may be as long as a name can be.
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".iopermit-")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(handle)
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _mode(target: Path) -> int:
    """Return the mode that the file has, or that a new file gets."""
    if target.exists():
        return target.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
