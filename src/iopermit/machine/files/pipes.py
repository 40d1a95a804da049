"""Pipes between processes of the machine."""

from __future__ import annotations

import errno
import select
import stat
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.file_status import FileStatus
from iopermit.machine.files.open_files import ACCESS_MODE, O_NONBLOCK, OpenFile
from iopermit.machine.memory.physical import OutOfMemoryError

if TYPE_CHECKING:
    from iopermit.machine.memory.physical import PhysicalMemory

PIPE_SIZE: Final = 65536
"""Bytes that a pipe holds."""
_PIPE_INODE: Final = 0x10000
_STRUCTURE: Final = 1024
"""Bytes that an empty pipe counts."""


class Pipe:
    """The buffer between the ends of a pipe."""

    def __init__(self, memory: PhysicalMemory) -> None:
        """Make an empty pipe without ends, whose contents count against `memory`."""
        self._charge = memory.charge(_STRUCTURE)
        self.chunks: deque[bytes] = deque()
        self.size = 0
        self.readers = self.writers = 0

    @property
    def name(self) -> str:
        """What /proc/self/fd shows."""
        return f"pipe:[{_PIPE_INODE + id(self) % _PIPE_INODE}]"

    def put(self, data: bytes) -> None:
        """Take bytes. Raises KernelError (ENOMEM)."""
        try:
            self._charge.resize(_STRUCTURE + self.size + len(data))
        except OutOfMemoryError as error:
            raise KernelError(errno.ENOMEM) from error
        self.chunks.append(data)
        self.size += len(data)

    def take(self, size: int) -> bytes:
        """Return up to `size` bytes."""
        parts = []
        while self.chunks and size > 0:
            chunk = self.chunks.popleft()
            parts.append(chunk[:size])
            if len(chunk) > size:
                self.chunks.appendleft(chunk[size:])
            size -= len(parts[-1])
        result = b"".join(parts)
        self.size -= len(result)
        self._charge.resize(_STRUCTURE + self.size)
        return result


@dataclass(eq=False)
class PipeReader(OpenFile):
    """The end of a pipe that is read."""

    pipe: Pipe = field(kw_only=True)

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
        return pipe.take(size)

    def status(self) -> FileStatus:
        """Return the status of a pipe."""
        return FileStatus(stat.S_IFIFO | 0o600, inode=_PIPE_INODE)

    def readable(self) -> bool:
        """Return whether there is data or an end."""
        return bool(self.pipe.size) or not self.pipe.writers

    def hung_up(self) -> bool:
        """Return whether nobody can write any more."""
        return not self.pipe.writers

    def reopen(self, flags: int) -> OpenFile:
        """Open an end of the same pipe."""
        return open_end(self.pipe, flags)

    def close(self) -> None:
        """Take the end away."""
        self.pipe.readers -= 1


@dataclass(eq=False)
class PipeWriter(OpenFile):
    """The end of a pipe that is written."""

    pipe: Pipe = field(kw_only=True)

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
            pipe.put(part)
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

    def reopen(self, flags: int) -> OpenFile:
        """Open an end of the same pipe."""
        return open_end(self.pipe, flags)

    def close(self) -> None:
        """Take the end away."""
        self.pipe.writers -= 1


def open_end(pipe: Pipe, flags: int) -> OpenFile:
    """Return the end of a pipe that the access mode of `flags` asks for."""
    if flags & ACCESS_MODE:
        return PipeWriter(pipe.name, flags, pipe=pipe)
    return PipeReader(pipe.name, flags, pipe=pipe)
