"""Pipes between processes of the machine."""

from __future__ import annotations

import errno
import select
import stat
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.files.open_files import O_NONBLOCK, FileStatus, OpenFile

PIPE_SIZE: Final = 65536
"""Bytes that a pipe holds."""
_PIPE_INODE: Final = 0x10000


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
