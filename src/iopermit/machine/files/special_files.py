"""Files that are not the host's: /dev/null and the like, and texts in /proc."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.machine.files.open_files import FileStatus, OpenFile

if TYPE_CHECKING:
    import random

_DEVICE_MAJOR: Final = 1


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
