"""Files, links and directories in the machine's memory: /tmp, /dev/shm, memfd_create(2)."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import KernelError
from iopermit.machine.file_status import Entry, FileStatus
from iopermit.machine.files.nodes import DirectoryNode, FileNode, LinkNode, Node, Viewer
from iopermit.machine.files.open_files import ACCESS_MODE, O_APPEND, O_WRONLY, OpenFile
from iopermit.machine.memory.areas import SharedPages
from iopermit.machine.memory.physical import OutOfMemoryError

if TYPE_CHECKING:
    from iopermit.machine.clock import Clock
    from iopermit.machine.memory.physical import PhysicalMemory

_NODE_SIZE: Final = 1024
"""Bytes that a node counts, beside its contents."""
_LONGEST_NAME: Final = 255
_MOST: Final = (1 << 63) - 1
DEVICE: Final = 0x15
"""st_dev of the machine's own files."""


class MemoryStore:
    """What nodes in memory share: where their contents go, the time, the next inode number."""

    def __init__(self, memory: PhysicalMemory, clock: Clock) -> None:
        """Keep contents in `memory`."""
        self.memory, self.clock = memory, clock
        self._last_inode = 100

    def status(self, mode: int, uid: int, gid: int) -> FileStatus:
        """Return the status of a new node."""
        self._last_inode += 1
        now = self.clock.realtime
        return FileStatus(
            mode, self._last_inode, DEVICE, 0, 1, uid, gid, accessed=now, modified=now, changed=now
        )


class _Kept(Node):
    """A node that counts against the memory of the machine, and whose status can change."""

    def __init__(self, store: MemoryStore, mode: int, uid: int, gid: int) -> None:
        try:
            self._charge = store.memory.charge(_NODE_SIZE)
        except OutOfMemoryError as error:
            raise KernelError(errno.ENOSPC) from error
        self.store, self.kept_status = store, store.status(mode, uid, gid)

    def status(self) -> FileStatus:
        """Return the status."""
        return self.kept_status

    def touch(self) -> None:
        """Note that the contents changed now."""
        self.kept_status.modified = self.kept_status.changed = self.store.clock.realtime


class MemoryFile(_Kept, FileNode):
    """A regular file in memory."""

    def __init__(self, store: MemoryStore, mode: int, uid: int, gid: int) -> None:
        """Make an empty file."""
        super().__init__(store, stat.S_IFREG | mode & 0o7777, uid, gid)
        self.pages = SharedPages(store.memory)

    @property
    def size(self) -> int:
        """Bytes."""
        return self.kept_status.size

    def open(self, viewer: Viewer, path: str, flags: int) -> OpenFile:
        """Return it, open."""
        if flags & os.O_TRUNC:
            self.truncate(0)
        return MemoryHandle(path, flags & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC), node=self)

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes; fewer at the end."""
        return self.pages.read(offset, max(min(size, self.size - offset), 0))

    def write(self, offset: int, data: bytes) -> int:
        """Write and return how many bytes. Raises KernelError."""
        if offset + len(data) > _MOST:
            raise KernelError(errno.EFBIG)
        try:
            self.pages.write(offset, data)
        except OutOfMemoryError as error:
            raise KernelError(errno.ENOSPC) from error
        self._set_size(max(self.size, offset + len(data)))
        return len(data)

    def truncate(self, size: int) -> None:
        """Make it shorter or longer."""
        if size < self.size:
            self.pages.truncate(size)
        self._set_size(size)

    def _set_size(self, size: int) -> None:
        self.kept_status.size, self.kept_status.blocks = size, 8 * len(self.pages.pages)
        self.touch()


@dataclass(eq=False)
class MemoryHandle(OpenFile):
    """A file in memory that is open."""

    node: MemoryFile | None = None
    position: int = 0

    @property
    def file(self) -> MemoryFile:
        """The file."""
        assert self.node is not None
        return self.node

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        data = self.pread(size, self.position)
        self.position += len(data)
        return data

    def pread(self, size: int, offset: int) -> bytes:
        """Return bytes from an offset."""
        if self.flags & ACCESS_MODE == O_WRONLY:
            raise KernelError(errno.EBADF)
        return self.file.read(offset, size)

    def write(self, data: bytes) -> int:
        """Write at the position, or at the end with O_APPEND."""
        if self.flags & O_APPEND:
            self.position = self.file.size
        done = self.pwrite(data, self.position)
        self.position += done
        return done

    def pwrite(self, data: bytes, offset: int) -> int:
        """Write at an offset."""
        if not self.flags & ACCESS_MODE:
            raise KernelError(errno.EBADF)
        return self.file.write(offset, data)

    def truncate(self, size: int) -> None:
        """Change the size."""
        if not self.flags & ACCESS_MODE:
            raise KernelError(errno.EINVAL)
        self.file.truncate(size)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position."""
        self.position = seek_in(self.file.size, self.position, offset, whence)
        return self.position

    def status(self) -> FileStatus:
        """Return the status of the file."""
        return self.file.status()

    def reopen(self, flags: int) -> OpenFile:
        """Open the file once more."""
        return MemoryHandle(self.path, flags, node=self.node)


class MemoryLink(_Kept, LinkNode):
    """A symbolic link in memory."""

    def __init__(self, store: MemoryStore, target: str, uid: int, gid: int) -> None:
        """Lead to `target`."""
        super().__init__(store, stat.S_IFLNK | 0o777, uid, gid)
        self._target = target
        self.kept_status.size = len(os.fsencode(target))

    def target(self, viewer: Viewer) -> str:
        """Return where it leads to."""
        return self._target


class MemoryDirectory(_Kept, DirectoryNode):
    """A directory in memory."""

    def __init__(self, store: MemoryStore, mode: int, uid: int = 0, gid: int = 0) -> None:
        """Make an empty directory."""
        super().__init__(store, stat.S_IFDIR | mode & 0o7777, uid, gid)
        self.kept_status.links = 2
        self.children: dict[str, Node] = {}
        self.removed = False

    def lookup(self, name: str, viewer: Viewer) -> Node | None:
        """Return what has a name."""
        if len(os.fsencode(name)) > _LONGEST_NAME:
            raise KernelError(errno.ENAMETOOLONG)
        return self.children.get(name)

    def entries(self, viewer: Viewer) -> list[Entry]:
        """Return what there is."""
        pairs = ((name, node.status()) for name, node in sorted(self.children.items()))
        return [(name, status.inode, stat.S_IFMT(status.mode)) for name, status in pairs]

    def add(self, name: str, node: Node) -> None:
        """Give a node a name."""
        if self.removed:
            raise KernelError(errno.ENOENT)
        self.children[name] = node
        self.touch()

    def remove(self, name: str) -> None:
        """Take a name away."""
        if self.children.pop(name, None) is None:
            raise KernelError(errno.EROFS)
        self.touch()


class UnionDirectory(MemoryDirectory):
    """A directory in memory that lies over one of the host: what it does not have is the host's.

    Attributes:
        lower: the components of the host's directory.
    """

    def __init__(
        self, store: MemoryStore, mode: int, lower: tuple[str, ...], uid: int = 0, gid: int = 0
    ) -> None:
        """Lie over the directory `lower` of the host."""
        super().__init__(store, mode, uid, gid)
        self.lower = lower


def seek_in(size: int, position: int, offset: int, whence: int) -> int:
    """Return the new position in a file of `size` bytes. Raises KernelError."""
    if whence in (os.SEEK_DATA, os.SEEK_HOLE):
        # A file without holes: its data begin everywhere, its only hole is its end.
        if not 0 <= offset < size:
            raise KernelError(errno.ENXIO)
        return offset if whence == os.SEEK_DATA else size
    bases = {os.SEEK_SET: 0, os.SEEK_CUR: position, os.SEEK_END: size}
    if whence not in bases or not 0 <= bases[whence] + offset <= _MOST:
        raise KernelError(errno.EINVAL)
    return bases[whence] + offset
