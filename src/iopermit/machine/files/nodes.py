"""What names lead to in the machine's own trees: files, links, directories."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Protocol

from iopermit.machine.errors import KernelError

if TYPE_CHECKING:
    from iopermit.machine.credentials import Credentials
    from iopermit.machine.file_status import Entry, FileStatus
    from iopermit.machine.files.open_files import OpenFile


class Viewer(Protocol):
    """Who looks: a task."""

    @property
    def credentials(self) -> Credentials:
        """Its ids."""


class Node:
    """Anything that has a name."""

    def status(self) -> FileStatus:
        """Return what stat(2) tells."""
        raise NotImplementedError


class FileNode(Node):
    """A file or a device."""

    def open(self, viewer: Viewer, path: str, flags: int) -> OpenFile:
        """Return the file, open. Raises KernelError."""
        raise NotImplementedError


class LinkNode(Node):
    """A symbolic link."""

    def target(self, viewer: Viewer) -> str:
        """Return where it leads to. Raises KernelError."""
        raise NotImplementedError

    def jump(self, viewer: Viewer) -> Node | None:
        """Return what it leads to, if that is not by the name (as in /proc/self/fd)."""
        return None


class DirectoryNode(Node):
    """A directory."""

    def lookup(self, name: str, viewer: Viewer) -> Node | None:
        """Return what has a name. Raises KernelError."""
        raise NotImplementedError

    def entries(self, viewer: Viewer) -> list[Entry]:
        """Return what there is, without . and .. entries."""
        raise NotImplementedError

    def add(self, name: str, node: Node) -> None:
        """Give a node a name. Raises KernelError: not here."""
        raise KernelError(errno.EROFS)

    def remove(self, name: str) -> None:
        """Take a name away. Raises KernelError: not here."""
        raise KernelError(errno.EROFS)
