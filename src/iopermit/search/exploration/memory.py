"""Memory that native code and Python share: whole mappings, and small arrays of words."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import sys
from array import array
from typing import Final, TypeAlias

WORD: Final = 8
"""Bytes in a word."""
_HUGE: Final = 1 << 21
"""Bytes in a huge page of x86-64."""

Words: TypeAlias = "array[int]"
"""Unsigned 64-bit words, such as a stored state."""


class MappedMemory:
    """Zeroed bytes that the system provides when they are first touched, in huge pages if it can.

    Most of a search's time can go into getting memory from the system, in small pages.
    """

    def __init__(self, size: int) -> None:
        """Map `size` bytes. Raises MemoryError if the system does not allow as many."""
        self.size = size
        try:
            self._mapping = mmap.mmap(-1, max(size, 1), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        except (OSError, OverflowError) as error:
            raise MemoryError(str(error)) from error
        if size >= _HUGE and hasattr(mmap, "MADV_HUGEPAGE"):
            with contextlib.suppress(OSError):
                self._mapping.madvise(mmap.MADV_HUGEPAGE)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self._mapping))

    def words(self, first: int, count: int) -> Words:
        """Return a copy of some words."""
        return array("Q", self._mapping[first * WORD : (first + count) * WORD])

    def half_word(self, index: int) -> int:
        """Return the 32-bit number at an index of an array of them."""
        size = WORD // 2
        return int.from_bytes(self._mapping[index * size : (index + 1) * size], sys.byteorder)

    def write(self, first: int, values: Words) -> None:
        """Write words."""
        self._mapping[first * WORD : (first + len(values)) * WORD] = values.tobytes()


def zeroes(count: int) -> Words:
    """Return an array of words that are 0."""
    return array("Q", bytes(count * WORD))


def address(values: array[int]) -> int:
    """Return where an array is, for native code; it must not be resized."""
    return values.buffer_info()[0]
