"""What is mapped where: areas of an address space, and where their pages come from."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from iopermit.machine.memory.physical import PAGE

if TYPE_CHECKING:
    from iopermit.machine.memory.physical import PhysicalMemory

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
LOWEST_ADDRESS: Final = 0x10000
"""vm.mmap_min_addr."""


class BadAddressError(Exception):
    """User memory cannot be accessed: EFAULT for a system call, SIGSEGV for the program."""

    def __init__(self, address: int, *, mapped: bool) -> None:
        self.address, self.mapped = address, mapped
        super().__init__(f"{address:#x}")


@dataclass(eq=False)
class FilePages:
    """A host file, open for reading, that areas are mapped from."""

    descriptor: int
    size: int

    @functools.cached_property
    def identity(self) -> tuple[int, int, int]:
        """What tells the file, with these contents, from every other one."""
        status = os.fstat(self.descriptor)
        return status.st_dev, status.st_ino, status.st_mtime_ns

    def read(self, offset: int) -> bytes:
        """Return the bytes of a page, fewer at the end of the file."""
        return os.pread(self.descriptor, PAGE, offset)

    def __del__(self) -> None:
        """Close the file when no area needs it."""
        os.close(self.descriptor)


@dataclass(eq=False)
class SharedPages:
    """Pages that several address spaces see (MAP_SHARED), by their number in the object."""

    memory: PhysicalMemory
    pages: dict[int, int] = field(default_factory=dict)

    def __del__(self) -> None:
        """Give the pages back when no area needs them."""
        for page in self.pages.values():
            self.memory.release(page)


@dataclass(frozen=True, eq=False)
class Area:
    """A row of pages with the same rights and the same source; addresses in bytes."""

    start: int
    end: int
    protection: int
    file: FilePages | None = None
    offset: int = 0
    """Where the area begins in the file or in the shared pages."""
    file_end: int = 0
    """Offset in the file after which the area has zeros."""
    shared: SharedPages | None = None
    name: str = ""
    grows_down: bool = False

    def joins(self, following: Area) -> bool:
        """Return whether this area and one behind it are the same but for their place."""
        return (
            self.end == following.start
            and (self.protection, self.name) == (following.protection, following.name)
            and self._is_plain
            and following._is_plain
        )

    @property
    def _is_plain(self) -> bool:
        return self.file is None and self.shared is None and not self.grows_down

    def part(self, start: int, end: int) -> Area:
        """Return a part of the area."""
        return replace(self, start=start, end=end, offset=self.offset + start - self.start)
