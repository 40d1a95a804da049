"""Files without contents of their own: /dev/null and the like, and texts as /proc has them."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import KernelError
from iopermit.machine.file_status import Entry, FileStatus
from iopermit.machine.files.memory_tree import seek_in
from iopermit.machine.files.nodes import DirectoryNode, FileNode, LinkNode, Node, Viewer
from iopermit.machine.files.open_files import OpenFile

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping

_MEMORY_MAJOR: Final = 1
DEVICE: Final = 0x16
"""st_dev of files that no store keeps."""


@dataclass(eq=False)
class Text(OpenFile):
    """A file with fixed contents, as in /proc."""

    data: bytes = b""
    position: int = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        part = self.pread(size, self.position)
        self.position += len(part)
        return part

    def write(self, data: bytes) -> int:
        """Refuse."""
        raise KernelError(errno.EBADF)

    def pread(self, size: int, offset: int) -> bytes:
        """Return bytes from an offset."""
        return self.data[offset : offset + size]

    def seek(self, offset: int, whence: int) -> int:
        """Move the position."""
        self.position = seek_in(len(self.data), self.position, offset, whence)
        return self.position

    def status(self) -> FileStatus:
        """Return the status of a file without a size, as /proc has them."""
        return FileStatus(stat.S_IFREG | 0o444, device=DEVICE)

    def reopen(self, flags: int) -> OpenFile:
        """Open it once more."""
        return Text(self.path, flags, data=self.data)


class TextNode(FileNode):
    """A file whose contents are made when it is opened."""

    def __init__(self, text: Callable[[], bytes], mode: int = 0o444) -> None:
        """Show what `text` returns."""
        self._text, self._mode = text, mode

    def status(self) -> FileStatus:
        """Return the status."""
        return FileStatus(stat.S_IFREG | self._mode, id(self) & 0xFFFF_FFFF, DEVICE)

    def open(self, viewer: Viewer, path: str, flags: int) -> OpenFile:
        """Make the contents."""
        if flags & 3:
            raise KernelError(errno.EACCES)
        return Text(path, flags, data=self._text())


class FixedLink(LinkNode):
    """A link that always leads to the same path."""

    def __init__(self, target: str) -> None:
        """Lead to `target`."""
        self._target = target

    def status(self) -> FileStatus:
        """Return the status."""
        return FileStatus(stat.S_IFLNK | 0o777, id(self) & 0xFFFF_FFFF, DEVICE)

    def target(self, viewer: Viewer) -> str:
        """Return the path."""
        return self._target


class FixedDirectory(DirectoryNode):
    """A directory that nothing can be made in."""

    def __init__(self, children: Mapping[str, Node], mode: int = 0o555) -> None:
        """Have `children`."""
        self._children, self._mode = children, mode

    def status(self) -> FileStatus:
        """Return the status."""
        return FileStatus(stat.S_IFDIR | self._mode, id(self) & 0xFFFF_FFFF, DEVICE, links=2)

    def lookup(self, name: str, viewer: Viewer) -> Node | None:
        """Return what has a name."""
        return self._children.get(name)

    def entries(self, viewer: Viewer) -> list[Entry]:
        """Return what there is."""
        return entries_of(self._children)


class Device(OpenFile):
    """A character device; by itself /dev/null."""

    def read(self, size: int) -> bytes:
        """Return the end of the file."""
        return b""

    def write(self, data: bytes) -> int:
        """Forget the data."""
        return len(data)

    def pread(self, size: int, offset: int) -> bytes:
        """Read."""
        return self.read(size)

    def pwrite(self, data: bytes, offset: int) -> int:
        """Write."""
        return self.write(data)

    def seek(self, offset: int, whence: int) -> int:
        """Do nothing."""
        return 0


@dataclass(eq=False)
class MemoryDevice(Device):
    """One of the devices of major number 1; by itself /dev/null."""

    node: FileNode | None = None

    def status(self) -> FileStatus:
        """Return the status of the device."""
        assert self.node is not None
        return self.node.status()

    def reopen(self, flags: int) -> OpenFile:
        """Open the device once more."""
        return type(self)(self.path, flags, node=self.node)


class Zero(MemoryDevice):
    """/dev/zero."""

    def read(self, size: int) -> bytes:
        """Return zeros."""
        return bytes(size)


class Full(Zero):
    """/dev/full."""

    def write(self, data: bytes) -> int:
        """Refuse."""
        raise KernelError(errno.ENOSPC)


@dataclass(eq=False)
class RandomDevice(MemoryDevice):
    """/dev/random and /dev/urandom, which depend on the seed only."""

    source: random.Random | None = None

    def read(self, size: int) -> bytes:
        """Return seeded pseudo-random bytes."""
        return b"" if self.source is None else self.source.randbytes(min(size, 256))

    def reopen(self, flags: int) -> OpenFile:
        """Open the device once more."""
        return RandomDevice(self.path, flags, node=self.node, source=self.source)


class DeviceNode(FileNode):
    """The name of a character device."""

    def __init__(
        self, minor: int, mode: int, make: Callable[[DeviceNode, Viewer, str, int], OpenFile],
        major: int = _MEMORY_MAJOR,
    ) -> None:  # fmt: skip
        """Open it by `make`, called with this node, who opens it, the path, and the flags."""
        self._special, self._mode, self._make = os.makedev(major, minor), mode, make

    def status(self) -> FileStatus:
        """Return the status."""
        mode = stat.S_IFCHR | self._mode
        return FileStatus(mode, self._special, DEVICE, self._special)

    def open(self, viewer: Viewer, path: str, flags: int) -> OpenFile:
        """Open the device."""
        return self._make(self, viewer, path, flags)


def simple_devices(source: random.Random) -> dict[str, Node]:
    """Return /dev/null, zero, full, random and urandom; `source` gives the random bytes."""

    def plain(kind: type[MemoryDevice]) -> Callable[[DeviceNode, Viewer, str, int], OpenFile]:
        return lambda node, _viewer, path, flags: kind(path, flags, node=node)

    def random_device(node: DeviceNode, _viewer: Viewer, path: str, flags: int) -> OpenFile:
        return RandomDevice(path, flags, node=node, source=source)

    def terminal(node: DeviceNode, _viewer: Viewer, path: str, flags: int) -> OpenFile:
        raise KernelError(errno.ENXIO)

    return {
        "null": DeviceNode(3, 0o666, plain(MemoryDevice)),
        "zero": DeviceNode(5, 0o666, plain(Zero)),
        "full": DeviceNode(7, 0o666, plain(Full)),
        "random": DeviceNode(8, 0o666, random_device),
        "urandom": DeviceNode(9, 0o666, random_device),
        "tty": DeviceNode(0, 0o666, terminal, major=5),
    }


def entries_of(children: Mapping[str, Node]) -> list[Entry]:
    """Return the entries of a directory."""
    pairs = ((name, node.status()) for name, node in sorted(children.items()))
    return [(name, status.inode, stat.S_IFMT(status.mode)) for name, status in pairs]
