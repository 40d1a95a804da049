"""Keeps a shelf of the cache small: what was used longest ago goes first; and clears it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.cache.files import UNFINISHED
from iopermit.cache.locks import SUFFIX, locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LEFTOVER: Final = "build-"
"""How the names of directories begin that are of use to nobody but the process that made them."""
_SPARED_SECONDS: Final = 120
"""How long a directory is spared after its use, since its files are read one after the other, and a
file that is being written. Whoever has opened a whole file can read it when it is gone."""


@dataclass(frozen=True)
class Kept:
    """An entry of a shelf.

    Attributes:
        path: Where it is.
        size: Bytes in all its files.
        used: When it was used last, in seconds since the epoch.
    """

    path: Path
    size: int
    used: float


def entries(shelf: Path, *, directories: bool) -> list[Kept]:
    """Return the entries of a shelf, whichever was used longest ago first.

    Args:
        shelf: The directory.
        directories: Whether its entries are directories; else everything but directories.

    Raises:
        OSError: It cannot be read.
    """
    found = []
    with os.scandir(shelf) as scanned:
        for entry in scanned:
            if entry.is_dir(follow_symlinks=False) != directories or entry.name.endswith(SUFFIX):
                continue
            # Another process may remove it meanwhile, or something in it.
            with contextlib.suppress(OSError):
                status = entry.stat(follow_symlinks=False)
                size = sum(_sizes(entry.path)) if directories else status.st_size
                found.append(Kept(shelf / entry.name, size, status.st_mtime))
    return sorted(found, key=lambda kept: kept.used)


def _sizes(directory: str) -> Iterator[int]:
    waiting = [directory]
    while waiting:
        with os.scandir(waiting.pop()) as scanned:
            for entry in scanned:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                else:
                    yield entry.stat(follow_symlinks=False).st_size


def trim(shelf: Path, limit: int, *, directories: bool) -> None:
    """Remove what was used longest ago, until at most `limit` bytes are left.

    One process at a time does so. What is in use stays, and what cannot be removed.
    """
    with contextlib.suppress(OSError), locked(shelf, "trim", wait=False) as mine:
        if not mine:
            return
        kept = entries(shelf, directories=directories)
        excess = sum(entry.size for entry in kept) - limit
        recent = time.time() - _SPARED_SECONDS
        for entry in kept:
            if excess <= 0:
                break
            if entry.used > recent and (directories or entry.path.name.startswith(UNFINISHED)):
                continue
            with contextlib.suppress(OSError):
                excess -= entry.size if remove(entry.path) else 0


def remove(path: Path) -> bool:
    """Remove an entry; return whether it is gone, since a directory may be in use.

    Raises:
        OSError: It cannot be removed.
    """
    try:
        is_directory = stat.S_ISDIR(path.lstat().st_mode)
    except FileNotFoundError:
        return True
    if not is_directory:
        path.unlink(missing_ok=True)
        return True
    with locked(path.parent, path.name, wait=False) as mine:
        if not mine:
            return False
        try:
            return _remove_directory(path)
        finally:
            path.with_name(f"{path.name}{SUFFIX}").unlink(missing_ok=True)


def discard(path: Path) -> None:
    """Remove whatever is there, at once for all others; the caller holds its lock.

    Raises:
        OSError: It cannot be removed.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISDIR(path.lstat().st_mode):
            path.unlink()
            return
        aside = path.with_name(f"{LEFTOVER}{os.urandom(8).hex()}")
        path.rename(aside)
        # Directories that are deeper than any of ours are left where nobody looks for them.
        with contextlib.suppress(RecursionError):
            shutil.rmtree(aside)


def _remove_directory(path: Path) -> bool:
    """Remove a directory, unless a process works in it."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        discard(path)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
