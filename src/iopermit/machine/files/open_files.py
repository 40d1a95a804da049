"""Open files of programs: the interface of all of them, and the table of descriptors."""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import KernelError
from iopermit.machine.file_status import Entry, FileStatus

if TYPE_CHECKING:
    from iopermit.machine.memory.areas import FilePages
    from iopermit.machine.memory.physical import Charge, PhysicalMemory

O_WRONLY, O_RDWR, O_NONBLOCK, O_APPEND = 1, 2, 0o4000, 0o2000
ACCESS_MODE: Final = 3
_ENTRY_SIZE: Final = 256
"""Bytes that a descriptor counts."""


@dataclass(eq=False)
class OpenFile:
    """An open file description; by itself one that can neither be read nor written."""

    path: str = ""
    """The canonical path, or what /proc/self/fd shows."""
    flags: int = 0
    users: int = 0
    missed: int = field(default=0, init=False)
    """How often a program was told to try again later (EAGAIN)."""

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes. Raises KernelError, Blocked."""
        raise KernelError(errno.EINVAL)

    def write(self, data: bytes) -> int:
        """Write and return how many bytes. Raises KernelError, Blocked."""
        raise KernelError(errno.EINVAL)

    def pread(self, size: int, offset: int) -> bytes:
        """Return bytes from an offset. Raises KernelError."""
        raise KernelError(errno.ESPIPE)

    def pwrite(self, data: bytes, offset: int) -> int:
        """Write at an offset and return how many bytes. Raises KernelError."""
        raise KernelError(errno.ESPIPE)

    def truncate(self, size: int) -> None:
        """Change the size. Raises KernelError."""
        raise KernelError(errno.EINVAL)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position. Raises KernelError."""
        raise KernelError(errno.ESPIPE)

    def status(self) -> FileStatus:
        """Return what fstat(2) tells."""
        return FileStatus(stat.S_IFCHR | 0o666)

    def reopen(self, flags: int) -> OpenFile:
        """Return a new description of the same thing. Raises KernelError."""
        raise KernelError(errno.ENXIO)

    def mapped(self) -> FilePages | None:
        """Return what mmap(2) maps of a device; None if it maps nothing."""
        return None

    def readable(self) -> bool:
        """Return whether a read would not block."""
        return True

    def writable(self) -> bool:
        """Return whether a write would not block."""
        return True

    def can_read(self) -> bool:
        """Return whether it was opened for reading."""
        return self.flags & ACCESS_MODE != O_WRONLY

    def can_write(self) -> bool:
        """Return whether it was opened for writing."""
        return bool(self.flags & ACCESS_MODE)

    def hung_up(self) -> bool:
        """Return whether the other end of a pipe is gone."""
        return False

    def on_host(self) -> bool:
        """Return whether only the host can make it ready."""
        return False

    def ready_at(self) -> int | None:
        """Return the virtual time (ns) at which it gets ready by itself, if it does."""
        return None

    def close(self) -> None:
        """Let go of what the file holds; nobody has it open any more."""


@dataclass(eq=False)
class Directory(OpenFile):
    """A directory: what it had when it was opened."""

    entries: list[Entry] = field(default_factory=list)
    position: int = 0
    kept_status: FileStatus = field(default_factory=lambda: FileStatus(stat.S_IFDIR | 0o555))

    def read(self, size: int) -> bytes:
        """Refuse."""
        raise KernelError(errno.EISDIR)

    def seek(self, offset: int, whence: int) -> int:
        """Move the position among the entries."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.position}.get(whence)
        if base is None or not 0 <= base + offset < 1 << 63:
            raise KernelError(errno.EINVAL)
        self.position = base + offset
        return self.position

    def status(self) -> FileStatus:
        """Return the status that the directory had."""
        return self.kept_status


class FileTable:
    """The file descriptors of a process."""

    MOST: Final = 1024
    """RLIMIT_NOFILE."""

    def __init__(self, memory: PhysicalMemory) -> None:
        """Make an empty table with one user, whose entries count against `memory`."""
        self._memory = memory
        self._files: dict[int, tuple[OpenFile, bool]] = {}
        self._charge: Charge = memory.charge(0)
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
        """Give an open file a descriptor: `at`, or the lowest free one.

        If that fails, a file that nobody else has open is closed.

        Raises:
            KernelError: EBADF for a number that is out of range, EMFILE if the table is full,
                EINVAL for a number that no descriptor can be at least.
            OutOfMemoryError: there is no memory for the entry.
        """
        try:
            number = self._free(at_least) if at is None else self._given(at)
            if number not in self._files:
                self._charge.resize((len(self._files) + 1) * _ENTRY_SIZE)
        except BaseException:
            if not file.users:
                file.close()
            raise
        file.users += 1
        if number in self._files:
            self.close(number)
        self._files[number] = (file, close_on_exec)
        return number

    def _free(self, at_least: int) -> int:
        if not 0 <= at_least < self.MOST:
            raise KernelError(errno.EINVAL)
        free = next((n for n in range(at_least, self.MOST) if n not in self._files), None)
        if free is None:
            raise KernelError(errno.EMFILE)
        return free

    def _given(self, number: int) -> int:
        if not 0 <= number < self.MOST:
            raise KernelError(errno.EBADF)
        return number

    def close(self, descriptor: int) -> None:
        """Close a descriptor. Raises KernelError (EBADF)."""
        file = self.get(descriptor)
        del self._files[descriptor]
        self._charge.resize(len(self._files) * _ENTRY_SIZE)
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
        """Return a table with the same open files. Raises OutOfMemoryError."""
        result = FileTable(self._memory)
        result._charge.resize(len(self._files) * _ENTRY_SIZE)
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
