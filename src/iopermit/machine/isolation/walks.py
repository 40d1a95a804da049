"""What is asked of a walk through the host's files, and where it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.machine.credentials import Credentials
    from iopermit.machine.file_status import FileStatus


class WalkPurpose(StrEnum):
    """What is to be done with the object at the end of a walk."""

    STATUS = "status"
    """Tell its status."""
    OPEN = "open"
    """Open a regular file for reading, or list a directory."""
    EXECUTE = "execute"
    """Open a regular file that may be executed."""
    SEARCH = "search"
    """Make sure that it is a directory that may be searched."""
    LINK = "link"
    """Tell where a symbolic link leads to."""


@dataclass(frozen=True)
class Walk:
    """What is to be walked, and what for.

    Attributes:
        operation: what to do at the end.
        path: the components from the root; the first `known` of them are no links.
        known: how many components are walked already; among these, trees of the machine are not
            looked for, and the walk ends when it would come back to them.
        follow: whether a link at the end is followed.
        directory: whether the path says that its end is a directory (a slash at its end).
        links: how many links may still be followed.
        ids: who asks.
    """

    operation: WalkPurpose
    path: Sequence[str]
    ids: Credentials
    known: int = 0
    follow: bool = True
    directory: bool = False
    links: int = 40


@dataclass
class Answer:
    """Where a walk ended.

    Attributes:
        error: an error number, or 0.
        path: the canonical path as far as the walk went; of the directory, if `missing`.
        rest: the components that are left, if the walk has left the host's files.
        missing: the last component, if nothing has that name.
        links: how many links may still be followed.
        directory: as in `Walk`.
        status: of the object.
        descriptor: the open file; whoever takes the answer closes it. -1 for none.
        target: where the link leads to.
        entries: name, inode and type of what a directory has; None if it is no directory.
    """

    error: int = 0
    path: list[str] = field(default_factory=list)
    rest: list[str] | None = None
    missing: str | None = None
    links: int = 0
    directory: bool = False
    status: FileStatus | None = None
    descriptor: int = -1
    target: str = ""
    entries: list[tuple[str, int, int]] | None = None


def components(path: str) -> tuple[list[str], bool]:
    """Return the names in a path, and whether its end must be a directory."""
    names = [name for name in path.split("/") if name not in ("", ".")]
    return names, path.endswith(("/", "/.", "/..")) or path in (".", "..")
