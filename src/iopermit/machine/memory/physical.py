"""The physical memory of the machine: one block of host memory, handed out in pages."""

from __future__ import annotations

import ctypes
import mmap
from typing import Final

PAGE: Final = 4096
"""Bytes in a page."""

RESERVED: Final = 2 << 20
"""Bytes at the start of memory that hold the kernel's tables and stacks, not handed out."""

_SPARED: Final = 64
"""Pages that the kernel leaves to programs."""


class OutOfMemoryError(Exception):
    """No page of physical memory is free."""


class PhysicalMemory:
    """Memory that the CPU back ends map as it is, so that all of them see the same bytes.

    Attributes:
        view: all bytes.
        words: the same memory as 64-bit words.
        address: where it begins in the host's address space.
        size: bytes.
    """

    def __init__(self, size: int) -> None:
        """Reserve `size` bytes; the host provides pages as they are touched."""
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
        self._map = mmap.mmap(-1, size, flags=flags)
        self.size = size
        self.view = memoryview(self._map)
        self.words = self.view.cast("Q")
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self._next = RESERVED // PAGE
        self._free: list[int] = []
        self._users: dict[int, int] = {}
        self._was_code: set[int] = set()
        self._charged = 0
        self._held: list[int] = []
        """Pages that stand for what the kernel keeps outside this memory."""
        self.page_cache: dict[tuple[int, ...], int] = {}
        """Pages of mapped files by file and place, kept while there is room. Never written."""
        self.stale_code = False
        """Whether the kernel changed a page that may hold code, so that translations are stale."""

    def allocate_for_kernel(self, *, clear: bool = True) -> int:
        """Return a free page for what the kernel keeps, if some are left for programs then.

        A program is told that there is no room, rather than killed by its next page fault.

        Raises:
            OutOfMemoryError: there is none left.
        """
        if self.free_pages <= _SPARED:
            self._drop_cache()
        if self.free_pages <= _SPARED:
            raise OutOfMemoryError
        return self.allocate(clear=clear)

    def allocate(self, *, clear: bool = True) -> int:
        """Return the number of a free page, with one user. Raises OutOfMemoryError."""
        if not self._free and (self._next + 1) * PAGE > self.size:
            self._drop_cache()
        if self._free:
            page = self._free.pop()
            if clear:
                self.page(page)[:] = bytes(PAGE)
        elif (self._next + 1) * PAGE <= self.size:
            page = self._next
            self._next += 1
        else:
            raise OutOfMemoryError
        self._users[page] = 1
        return page

    def share(self, page: int) -> None:
        """Add a user to a page."""
        self._users[page] += 1

    def shared(self, page: int) -> bool:
        """Return whether a page has more than one user."""
        return self._users[page] > 1

    def release(self, page: int) -> None:
        """Take a user away from a page; without users it is free."""
        self._users[page] -= 1
        if not self._users[page]:
            del self._users[page]
            self._free.append(page)
            if page in self._was_code:
                self._was_code.discard(page)
                self.stale_code = True

    def charge(self, size: int) -> Charge:
        """Set memory aside for what the kernel keeps; it is given back when the charge is gone.

        Args:
            size: bytes.

        Raises:
            OutOfMemoryError: there is none left.
        """
        self._recharge(size)
        return Charge(self, size)

    def _recharge(self, difference: int) -> None:
        wanted = -(-(self._charged + difference) // PAGE)
        while len(self._held) < wanted:
            self._held.append(self.allocate_for_kernel(clear=False))
        self._charged += difference
        while len(self._held) > wanted:
            self.release(self._held.pop())

    def _drop_cache(self) -> None:
        """Free the pages of mapped files that nobody maps now."""
        for key, page in list(self.page_cache.items()):
            if self._users[page] == 1:
                del self.page_cache[key]
                self.release(page)

    def mark_code(self, page: int) -> None:
        """Note that a page may be executed."""
        self._was_code.add(page)

    def note_write(self, page: int) -> None:
        """Note that the kernel writes to a page, which may hold code."""
        if page in self._was_code:
            self.stale_code = True

    def page(self, page: int) -> memoryview:
        """Return the bytes of a page."""
        return self.view[page * PAGE : (page + 1) * PAGE]

    @property
    def free_pages(self) -> int:
        """How many pages can be handed out."""
        return len(self._free) + self.size // PAGE - self._next


class Charge:
    """Memory that the kernel keeps something in: a buffer, an open file, a task."""

    def __init__(self, memory: PhysicalMemory, size: int) -> None:
        """Stand for `size` bytes, which `memory` has set aside."""
        self._memory, self.size = memory, size

    def resize(self, size: int) -> None:
        """Stand for `size` bytes from now on. Raises OutOfMemoryError if there are no more."""
        self._memory._recharge(size - self.size)  # noqa: SLF001 - two halves of one thing
        self.size = size

    def __del__(self) -> None:
        """Give the memory back."""
        self.resize(0)
