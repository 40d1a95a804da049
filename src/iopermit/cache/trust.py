"""Whom a directory and everything on the way to it belong to: the user, or others too.

What may be executed must lie where nobody but the user and root could have put or exchanged it.
So every directory on the way has to belong to the user or root, and may be written by others only
if it is sticky, as /tmp is; links are followed here, one by one, and have to lie in such
directories themselves. Then nobody else can change the path after it was looked at.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Final

from iopermit.cache.errors import UntrustedError

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS: Final = 40
"""As many links as the kernel follows (path_resolution(7))."""
_REMEDY: Final = "set {} to a directory of your own"


def safe_directory(path: Path, *, own: int, create: bool, variable: str) -> Path:
    """Return the real path of a directory that only the user and root can have written to.

    Args:
        path: The directory, absolute.
        own: How many of its last names are iopermit's: these are no links, belong to the user
            and are written by nobody else, sticky or not.
        create: Whether what is missing is made, for the user alone.
        variable: The environment variable that names another place, for the message.

    Raises:
        UntrustedError: Others could have written to it.
        OSError: It does not exist, is no directory, or cannot be made or looked at.
    """
    ours = path.parts[len(path.parts) - own :]
    here = _resolved(path.parents[own - 1], variable, create=create)
    for name in ours:
        here /= name
        status = _made(here, create=create)
        if stat.S_ISLNK(status.st_mode):
            raise UntrustedError(f"{here} is a symbolic link; {_REMEDY.format(variable)}")
        _require_directory(here, status)
        _require_safe(here, status, variable, ours=True)
    return here


def _resolved(path: Path, variable: str, *, create: bool) -> Path:
    """Follow a path from the root on, link by link, and look at each directory."""
    waiting, here, links = list(reversed(path.parts[1:])), Path("/"), 0
    _require_safe(here, os.lstat(here), variable)
    while waiting:
        name = waiting.pop()
        if name == "..":
            here = here.parent
            continue
        there = here / name
        status = _made(there, create=create)
        if stat.S_ISLNK(status.st_mode):
            _require_owner(there, status, variable)
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(there))
            target = there.readlink()
            here = Path("/") if target.is_absolute() else here
            waiting += reversed(target.parts[target.is_absolute() :])
            continue
        _require_directory(there, status)
        _require_safe(there, status, variable)
        here = there
    return here


def _made(path: Path, *, create: bool) -> os.stat_result:
    """Look at a path itself, after making the directory if it is to be made."""
    try:
        return path.lstat()
    except FileNotFoundError:
        if not create:
            raise
    # Another process may be faster; what it made is looked at like everything.
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
    return path.lstat()


def _require_directory(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISDIR(status.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def _require_owner(
    path: Path, status: os.stat_result, variable: str, *, ours: bool = False
) -> None:
    allowed = {os.geteuid()} if ours else {0, os.geteuid()}
    if status.st_uid not in allowed:
        raise UntrustedError(
            f"{path} belongs to user {status.st_uid}, and this is user {os.geteuid()}; "
            f"{_REMEDY.format(variable)}"
        )


def _require_safe(path: Path, status: os.stat_result, variable: str, *, ours: bool = False) -> None:
    _require_owner(path, status, variable, ours=ours)
    sticky = status.st_mode & stat.S_ISVTX and not ours
    if status.st_mode & _OTHERS_WRITE and not sticky:
        raise UntrustedError(
            f"{path} can be written by others; chmod go-w {path}, or {_REMEDY.format(variable)}"
        )
