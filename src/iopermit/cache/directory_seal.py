"""Seals whole directories: a file in them lists all that is there, with the hash of each."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING, Final

from iopermit.cache.entry import sealed, unsealed
from iopermit.cache.errors import RejectedError
from iopermit.cache.files import open_own, read_own, write_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from iopermit.cache.entry import Origin
    from iopermit.cache.key import SealingKey

SEAL: Final = "iopermit.seal"
"""The name of the file."""
_DEEPEST: Final = 100
"""How deep directories may lie in each other: a kernel tree has a tenth of it."""


def seal_directory(directory: Path, origin: Origin, key: SealingKey) -> None:
    """Write down what is in a directory.

    Raises:
        RejectedError: It holds something that is neither file nor directory nor link.
        OSError: It cannot be read or written.
    """
    directory.chmod(0o700)
    write_own(directory / SEAL, sealed(_listing(directory), origin, key))


def require_sealed(directory: Path, origin: Origin, key: SealingKey) -> None:
    """Make sure that a directory is as it was when it was sealed.

    Raises:
        RejectedError: It is not.
        FileNotFoundError: There is no such directory, or it was never sealed.
        OSError: It cannot be read.
    """
    status = directory.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise RejectedError("it is not a directory; it is made anew")
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise RejectedError("others have rights to it; it is made anew")
    listed = unsealed(read_own(directory / SEAL), origin, key)
    if listed != _listing(directory):
        raise RejectedError("it is damaged; it is made anew")


def _listing(directory: Path) -> bytes:
    return "".join(f"{line}\n" for line in _lines(directory, "")).encode()


def _lines(directory: Path, relative: str) -> Iterator[str]:
    """Yield a line for each entry, with its kind, mode and content; the seal itself has none."""
    with os.scandir(directory) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        path = f"{relative}{entry.name}"
        if path == SEAL:
            continue
        if path.count("/") > _DEEPEST:
            raise RejectedError("its directories are too deep; it is made anew")
        mode = entry.stat(follow_symlinks=False).st_mode
        # repr() writes every name on one line.
        about = f"{stat.S_IMODE(mode):o} {path!r}"
        if stat.S_ISDIR(mode):
            yield f"directory {about}"
            yield from _lines(directory / entry.name, f"{path}/")
        elif stat.S_ISLNK(mode):
            yield f"link {about} {str((directory / entry.name).readlink())!r}"
        elif stat.S_ISREG(mode):
            yield f"file {about} {_digest(directory / entry.name)}"
        else:
            raise RejectedError("it holds what is neither file nor directory; it is made anew")


def _digest(file: Path) -> str:
    # Directories above are the user's alone, so that the file's own mode does not matter.
    with os.fdopen(open_own(file, forbidden=0), "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
