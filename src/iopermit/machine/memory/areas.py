"""What is mapped where: areas of an address space, and where their pages come from."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Final, Protocol

from iopermit.machine.memory.physical import PAGE

if TYPE_CHECKING:
    from iopermit.machine.file_status import FileStatus
    from iopermit.machine.memory.physical import PhysicalMemory

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4
LOWEST_ADDRESS: Final = 0x10000
"""vm.mmap_min_addr."""


class BadAddressError(Exception):
    """User memory cannot be accessed: EFAULT for a system call, SIGSEGV for the program."""

    def __init__(self, address: int, *, mapped: bool) -> None:
        self.address, self.mapped = address, mapped
        super().__init__(f"{address:#x}")


class FilePages(Protocol):
    """A file that areas are mapped from, and that does not change."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def identity(self) -> tuple[int, ...]:
        """What tells the file, with these contents, from every other one."""

    def read(self, offset: int, size: int = PAGE) -> bytes:
        """Return bytes, fewer at the end of the file. Raises OSError."""


class HostPages:
    """A file of the host, open for reading."""

    def __init__(self, descriptor: int, status: FileStatus) -> None:
        """Take a descriptor over, of a file with this status."""
        self._descriptor = descriptor
        self.size = status.size
        self.identity = (status.device, status.inode, status.modified)

    def read(self, offset: int, size: int = PAGE) -> bytes:
        """Return bytes; none behind the end, which a damaged program may map at any offset."""
        if not 0 <= offset < self.size:
            return b""
        return os.pread(self._descriptor, size, offset)

    def __del__(self) -> None:
        """Close the file when no area needs it."""
        os.close(self._descriptor)


class SnapshotPages:
    """The contents that a file had; they count against the memory of the machine."""

    _last: ClassVar[int] = 0

    def __init__(self, memory: PhysicalMemory, data: bytes) -> None:
        """Keep `data`. Raises OutOfMemoryError."""
        self._charge, self._data = memory.charge(len(data)), data
        self.size = len(data)
        SnapshotPages._last += 1
        self.identity = (SnapshotPages._last,)

    def read(self, offset: int, size: int = PAGE) -> bytes:
        """Return bytes."""
        return self._data[offset : offset + size]


@dataclass(eq=False)
class SharedPages:
    """Pages that several address spaces see (MAP_SHARED), by their number in the object.

    They are also what a file in memory consists of; pages that nobody wrote are absent, and zero.
    """

    memory: PhysicalMemory
    pages: dict[int, int] = field(default_factory=dict)

    def page(self, number: int) -> int:
        """Return a page, with one more user. Raises OutOfMemoryError."""
        if number not in self.pages:
            self.pages[number] = self.memory.allocate()
        self.memory.share(self.pages[number])
        return self.pages[number]

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes."""
        parts = []
        while size > 0:
            number, start = divmod(offset, PAGE)
            count = min(size, PAGE - start)
            page = self.pages.get(number)
            if page is None:
                parts.append(bytes(count))
            else:
                parts.append(bytes(self.memory.page(page)[start : start + count]))
            offset, size = offset + count, size - count
        return b"".join(parts)

    def write(self, offset: int, data: bytes) -> None:
        """Write bytes. Raises OutOfMemoryError, perhaps after some were written."""
        done = 0
        while done < len(data):
            number, start = divmod(offset + done, PAGE)
            count = min(len(data) - done, PAGE - start)
            page = self.pages.get(number)
            if page is None:
                page = self.pages[number] = self.memory.allocate_for_kernel()
            self.memory.note_write(page)
            self.memory.page(page)[start : start + count] = data[done : done + count]
            done += count

    def truncate(self, size: int) -> None:
        """Forget what lies behind `size` bytes."""
        for number in [n for n in self.pages if n * PAGE >= size]:
            self.memory.release(self.pages.pop(number))
        last = self.pages.get(size // PAGE)
        if last is not None and size % PAGE:
            self.memory.note_write(last)
            self.memory.page(last)[size % PAGE :] = bytes(PAGE - size % PAGE)

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
    copied: SharedPages | None = None
    """Pages of a file in memory of which each one that is written is copied (MAP_PRIVATE)."""
    name: str = ""
    grows_down: bool = False
    writable: bool = True
    """Whether mprotect(2) may allow writing: not if a file is shared that is open for reading."""

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
        sources = (self.file, self.shared, self.copied)
        return not any(sources) and not self.grows_down and self.writable

    def part(self, start: int, end: int) -> Area:
        """Return a part of the area."""
        return replace(self, start=start, end=end, offset=self.offset + start - self.start)
