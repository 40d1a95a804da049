"""Files of the host that are open: regular files for reading, and the standard streams."""

from __future__ import annotations

import errno
import os
import select
import stat
from dataclasses import dataclass, field, replace
from typing import Final

from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.file_status import FileStatus
from iopermit.machine.files.memory_tree import seek_in
from iopermit.machine.files.open_files import O_NONBLOCK, OpenFile

_AT_ONCE: Final = select.PIPE_BUF
"""Bytes that a stream takes without blocking, if it says that it can be written to."""


@dataclass(eq=False)
class HostFile(OpenFile):
    """A regular file of the host, opened for reading."""

    descriptor: int = -1
    position: int = 0
    kept_status: FileStatus = field(default_factory=lambda: FileStatus(stat.S_IFREG))

    def read(self, size: int) -> bytes:
        """Return the next bytes of the host file."""
        data = self.pread(size, self.position)
        self.position += len(data)
        return data

    def write(self, data: bytes) -> int:
        """Refuse: no host file is ever open for writing."""
        raise KernelError(errno.EBADF)

    def pread(self, size: int, offset: int) -> bytes:
        """Read from an offset."""
        return os.pread(self.descriptor, size, offset)

    def pwrite(self, data: bytes, offset: int) -> int:
        """Refuse."""
        raise KernelError(errno.EBADF)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position."""
        self.position = seek_in(self.status().size, self.position, offset, whence)
        return self.position

    def status(self) -> FileStatus:
        """Return the status that the host file had when it was opened."""
        return self.kept_status

    def reopen(self, flags: int) -> OpenFile:
        """Open the file once more, for reading."""
        if flags & 3:
            raise KernelError(errno.EROFS)
        descriptor = os.dup(self.descriptor)
        return HostFile(self.path, flags, descriptor=descriptor, kept_status=self.kept_status)

    def close(self) -> None:
        """Close the host file."""
        os.close(self.descriptor)


@dataclass(eq=False)
class HostStream(OpenFile):
    """Standard input, output or error of iopermit itself."""

    descriptor: int = -1
    kept_status: FileStatus = field(default_factory=lambda: FileStatus(stat.S_IFCHR))

    @staticmethod
    def of(number: int, flags: int) -> HostStream:
        """Return a standard stream by its number."""
        status = FileStatus.of(os.fstat(number))
        return HostStream(f"/dev/fd/{number}", flags, descriptor=number, kept_status=status)

    def read(self, size: int) -> bytes:
        """Read what there is."""
        if not self.readable():
            if self.flags & O_NONBLOCK:
                raise KernelError(errno.EAGAIN)
            raise Blocked(self.readable, host=True)
        return os.read(self.descriptor, size)

    def write(self, data: bytes) -> int:
        """Send what the stream takes without blocking."""
        done = 0
        while done < len(data):
            if not self.writable():
                if done:
                    return done
                if self.flags & O_NONBLOCK:
                    raise KernelError(errno.EAGAIN)
                raise Blocked(self.writable, host=True)
            try:
                done += os.write(self.descriptor, data[done : done + self._at_once()])
            except BlockingIOError:
                return done
            except OSError:
                if done:
                    return done
                raise
        return done

    def _at_once(self) -> int:
        """Return how many bytes a write takes without waiting, once the stream is writable."""
        return 1 << 20 if stat.S_ISREG(self.kept_status.mode) else _AT_ONCE

    def readable(self) -> bool:
        """Ask the host."""
        return bool(self._poll(select.POLLIN))

    def writable(self) -> bool:
        """Ask the host."""
        return bool(self._poll(select.POLLOUT))

    def _poll(self, events: int) -> int:
        poll = select.poll()
        poll.register(self.descriptor, events)
        return sum(found for _, found in poll.poll(0))

    def on_host(self) -> bool:
        """Return that the host makes it ready."""
        return True

    def status(self) -> FileStatus:
        """Return the status that the host's stream had at the start."""
        return self.kept_status

    def reopen(self, flags: int) -> OpenFile:
        """Return another description of the stream."""
        return replace(self, flags=flags, users=0)

    def is_terminal(self) -> bool:
        """Return whether it is a terminal."""
        return os.isatty(self.descriptor)
