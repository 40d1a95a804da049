"""Open files of programs: host files for reading, standard streams, descriptors.

Nothing here can write to a host file, and nothing opens a device node of the host.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from dataclasses import dataclass, field
from typing import Final

from iopermit.machine.errors import Blocked, KernelError

O_WRONLY, O_RDWR, O_NONBLOCK, O_APPEND = 1, 2, 0o4000, 0o2000


@dataclass
class FileStatus:
    """What stat(2) tells; times in nanoseconds."""

    mode: int
    inode: int = 1
    device: int = 0
    special: int = 0
    links: int = 1
    uid: int = 0
    gid: int = 0
    size: int = 0
    blocks: int = 0
    accessed: int = 0
    modified: int = 0
    changed: int = 0

    @staticmethod
    def of(status: os.stat_result) -> FileStatus:
        """Return the status of a host file."""
        return FileStatus(
            status.st_mode,
            status.st_ino,
            status.st_dev,
            status.st_rdev,
            status.st_nlink,
            status.st_uid,
            status.st_gid,
            status.st_size,
            status.st_blocks,
            status.st_atime_ns,
            status.st_mtime_ns,
            status.st_ctime_ns,
        )


@dataclass(eq=False)
class OpenFile:
    """An open file description; by itself one that can neither be read nor written."""

    path: str = ""
    flags: int = 0
    users: int = 0

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes. Raises KernelError, Blocked."""
        raise KernelError(errno.EBADF if not size else errno.EINVAL)

    def write(self, data: bytes) -> int:
        """Write and return how many bytes. Raises KernelError, Blocked."""
        raise KernelError(errno.EBADF if not data else errno.EINVAL)

    def pread(self, size: int, offset: int) -> bytes:
        """Return bytes from an offset. Raises KernelError."""
        raise KernelError(errno.ESPIPE)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position. Raises KernelError."""
        raise KernelError(errno.ESPIPE)

    def status(self) -> FileStatus:
        """Return what fstat(2) tells."""
        return FileStatus(stat.S_IFCHR | 0o666)

    def readable(self) -> bool:
        """Return whether a read would not block."""
        return True

    def writable(self) -> bool:
        """Return whether a write would not block."""
        return True

    def hung_up(self) -> bool:
        """Return whether the other end of a pipe is gone."""
        return False

    def close(self) -> None:
        """Let go of what the file holds; nobody has it open any more."""


@dataclass(eq=False)
class HostFile(OpenFile):
    """A regular file of the host, opened for reading."""

    descriptor: int = -1

    def read(self, size: int) -> bytes:
        """Take the next bytes of the host file."""
        return os.read(self.descriptor, size)

    def write(self, data: bytes) -> int:
        """Refuse: no host file is ever open for writing."""
        raise KernelError(errno.EBADF)

    def pread(self, size: int, offset: int) -> bytes:
        """Read from an offset."""
        return os.pread(self.descriptor, size, offset)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position of the host file."""
        return os.lseek(self.descriptor, offset, whence)

    def status(self) -> FileStatus:
        """Return the status of the host file."""
        return FileStatus.of(os.fstat(self.descriptor))

    def close(self) -> None:
        """Close the host file."""
        os.close(self.descriptor)


@dataclass(eq=False)
class Directory(OpenFile):
    """A directory of the host."""

    entries: list[tuple[str, int, int]] = field(default_factory=list)
    """Name, inode and type of each entry."""
    position: int = 0

    def read(self, size: int) -> bytes:
        """Refuse."""
        raise KernelError(errno.EISDIR)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position among the entries."""
        if whence == os.SEEK_SET:
            self.position = offset
        return self.position

    def status(self) -> FileStatus:
        """Return the status of the host directory."""
        return FileStatus.of(os.stat(self.path))


@dataclass(eq=False)
class HostStream(OpenFile):
    """Standard input, output or error of iopermit itself."""

    descriptor: int = -1

    def read(self, size: int) -> bytes:
        """Read what there is."""
        if not self.readable():
            raise Blocked(self.readable, host=True)
        return os.read(self.descriptor, size)

    def write(self, data: bytes) -> int:
        """Send everything."""
        done = 0
        while done < len(data):
            try:
                done += os.write(self.descriptor, data[done:])
            except BlockingIOError:
                select.select([], [self.descriptor], [])
            except OSError as error:
                raise KernelError(error.errno or errno.EIO) from error
        return done

    def readable(self) -> bool:
        """Ask the host."""
        return bool(select.select([self.descriptor], [], [], 0)[0])

    def status(self) -> FileStatus:
        """Return the status of the host's stream."""
        return FileStatus.of(os.fstat(self.descriptor))

    def is_terminal(self) -> bool:
        """Return whether it is a terminal."""
        return os.isatty(self.descriptor)


class FileTable:
    """The file descriptors of a process."""

    MOST: Final = 1024
    """RLIMIT_NOFILE."""

    def __init__(self) -> None:
        """Make an empty table with one user."""
        self._files: dict[int, tuple[OpenFile, bool]] = {}
        self.users = 1

    def get(self, descriptor: int) -> OpenFile:
        """Return an open file. Raises KernelError (EBADF)."""
        entry = self._files.get(descriptor)
        if entry is None:
            raise KernelError(errno.EBADF)
        return entry[0]

    def add(
        self,
        file: OpenFile,
        *,
        close_on_exec: bool = False,
        at_least: int = 0,
        at: int | None = None,
    ) -> int:
        """Give an open file a descriptor: `at`, or the lowest free one. Raises KernelError."""
        if at is None:
            at = next(n for n in range(at_least, self.MOST + 1) if n not in self._files)
        if not 0 <= at < self.MOST:
            raise KernelError(errno.EMFILE)
        if at in self._files:
            self.close(at)
        file.users += 1
        self._files[at] = (file, close_on_exec)
        return at

    def close(self, descriptor: int) -> None:
        """Close a descriptor. Raises KernelError (EBADF)."""
        file = self.get(descriptor)
        del self._files[descriptor]
        file.users -= 1
        if not file.users:
            file.close()

    def close_on_exec(self, descriptor: int) -> bool:
        """Return whether execve(2) closes a descriptor."""
        self.get(descriptor)
        return self._files[descriptor][1]

    def set_close_on_exec(self, descriptor: int, *, value: bool) -> None:
        """Let execve(2) close a descriptor, or not."""
        self._files[descriptor] = (self.get(descriptor), value)

    def copy(self) -> FileTable:
        """Return a table with the same open files."""
        result = FileTable()
        for file, _ in self._files.values():
            file.users += 1
        result._files = dict(self._files)
        return result

    def exec(self) -> None:
        """Close what execve(2) closes."""
        for descriptor in [n for n, (_, closes) in self._files.items() if closes]:
            self.close(descriptor)

    def release(self) -> None:
        """Drop one user; without users, close everything."""
        self.users -= 1
        if not self.users:
            for descriptor in list(self._files):
                self.close(descriptor)

    def descriptors(self) -> list[int]:
        """Return the open descriptors."""
        return sorted(self._files)
