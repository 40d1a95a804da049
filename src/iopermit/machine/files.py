"""Open files of programs: host files for reading, pipes, and a few devices.

Nothing here can write to a host file, and nothing opens a device node of the host.
"""

from __future__ import annotations

import errno
import os
import select
import stat
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import Blocked, KernelError

if TYPE_CHECKING:
    import random

PIPE_SIZE: Final = 65536
"""Bytes that a pipe holds."""
O_WRONLY, O_RDWR, O_NONBLOCK, O_APPEND = 1, 2, 0o4000, 0o2000
_DEVICE_MAJOR: Final = 1
_PIPE_INODE: Final = 0x10000


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
        """Do what the last close(2) does."""


@dataclass(eq=False)
class HostFile(OpenFile):
    """A regular file of the host, opened for reading."""

    descriptor: int = -1

    def read(self, size: int) -> bytes:
        """Read from the host file."""
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
        """Write everything."""
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


@dataclass(eq=False)
class Text(OpenFile):
    """A file with fixed contents, as in /proc."""

    data: bytes = b""
    position: int = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        part = self.data[self.position : self.position + size]
        self.position += len(part)
        return part

    def pread(self, size: int, offset: int) -> bytes:
        """Return bytes from an offset."""
        return self.data[offset : offset + size]

    def seek(self, offset: int, whence: int) -> int:
        """Move the position."""
        base = (0, self.position, len(self.data))[whence]
        self.position = base + offset
        return self.position

    def status(self) -> FileStatus:
        """Return the status of a file without a size, as /proc has them."""
        return FileStatus(stat.S_IFREG | 0o444)


@dataclass(eq=False)
class Null(OpenFile):
    """/dev/null."""

    def read(self, size: int) -> bytes:
        """Return the end of the file."""
        return b""

    def write(self, data: bytes) -> int:
        """Forget the data."""
        return len(data)

    def seek(self, offset: int, whence: int) -> int:
        """Do nothing."""
        return 0

    def status(self) -> FileStatus:
        """Return the status of /dev/null."""
        return FileStatus(stat.S_IFCHR | 0o666, special=os.makedev(_DEVICE_MAJOR, 3))


@dataclass(eq=False)
class Zero(Null):
    """/dev/zero."""

    def read(self, size: int) -> bytes:
        """Return zeros."""
        return bytes(size)


@dataclass(eq=False)
class Random(Null):
    """/dev/random and /dev/urandom, which depend on the seed only."""

    source: random.Random | None = None

    def read(self, size: int) -> bytes:
        """Return seeded pseudo-random bytes."""
        return b"" if self.source is None else self.source.randbytes(min(size, 256))


class Pipe:
    """The buffer between the ends of a pipe."""

    def __init__(self) -> None:
        """Make an empty pipe without ends."""
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.readers = self.writers = 0


@dataclass(eq=False)
class PipeReader(OpenFile):
    """The end of a pipe that is read."""

    pipe: Pipe = field(default_factory=Pipe)

    def __post_init__(self) -> None:
        """Count the end."""
        self.pipe.readers += 1

    def read(self, size: int) -> bytes:
        """Return what there is, or the end of the file without writers."""
        pipe = self.pipe
        if not pipe.size and pipe.writers:
            if self.flags & O_NONBLOCK:
                raise KernelError(errno.EAGAIN)
            raise Blocked(self.readable)
        result = b""
        while pipe.chunks and len(result) < size:
            chunk = pipe.chunks.popleft()
            room = size - len(result)
            result += chunk[:room]
            if len(chunk) > room:
                pipe.chunks.appendleft(chunk[room:])
        pipe.size -= len(result)
        return result

    def status(self) -> FileStatus:
        """Return the status of a pipe."""
        return FileStatus(stat.S_IFIFO | 0o600, inode=_PIPE_INODE)

    def readable(self) -> bool:
        """Return whether there is data or an end."""
        return bool(self.pipe.size) or not self.pipe.writers

    def hung_up(self) -> bool:
        """Return whether nobody can write any more."""
        return not self.pipe.writers

    def close(self) -> None:
        """Take the end away."""
        self.pipe.readers -= 1


@dataclass(eq=False)
class PipeWriter(OpenFile):
    """The end of a pipe that is written."""

    pipe: Pipe = field(default_factory=Pipe)

    def __post_init__(self) -> None:
        """Count the end."""
        self.pipe.writers += 1

    def write(self, data: bytes) -> int:
        """Write what fits; the caller is to raise SIGPIPE on EPIPE."""
        pipe = self.pipe
        if not pipe.readers:
            raise KernelError(errno.EPIPE)
        room = PIPE_SIZE - pipe.size
        if data and not (room >= len(data) or (room and len(data) > select.PIPE_BUF)):
            if self.flags & O_NONBLOCK:
                raise KernelError(errno.EAGAIN)
            needed = min(len(data), select.PIPE_BUF)
            raise Blocked(lambda: PIPE_SIZE - pipe.size >= needed or not pipe.readers)
        part = data[:room]
        if part:
            pipe.chunks.append(part)
            pipe.size += len(part)
        return len(part)

    def status(self) -> FileStatus:
        """Return the status of a pipe."""
        return FileStatus(stat.S_IFIFO | 0o600, inode=_PIPE_INODE)

    def writable(self) -> bool:
        """Return whether a small write fits."""
        return PIPE_SIZE - self.pipe.size >= select.PIPE_BUF or not self.pipe.readers

    def hung_up(self) -> bool:
        """Return whether nobody can read any more."""
        return not self.pipe.readers

    def close(self) -> None:
        """Take the end away."""
        self.pipe.writers -= 1


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
        self, file: OpenFile, *, close_on_exec: bool = False, at_least: int = 0, at: int | None = None
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
        result._files = dict(self._files)  # noqa: SLF001 - the same class
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
