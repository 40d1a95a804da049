"""A file of stored states that only grows, with a checksum of all that was written to it."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.scale.checkpoint.marks import FileMark
from iopermit.scale.errors import CheckpointError
from iopermit.search.exploration.memory import WORD

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

BLOCK: Final = 1 << 15
"""States that are read at once."""


class StateFile:
    """States one after the other, each in the words of the machine; appended to, and read."""

    def __init__(self, path: Path, words: int) -> None:
        """Open a file, or make an empty one. Raises OSError."""
        self.path, self.words = path, words
        self._bytes = words * WORD
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(path, flags, 0o600)
        self.first, self.count, self.checksum = 0, 0, 0
        self._synced = 0
        self.read_bytes = 0
        """Bytes that were read since it was opened."""

    @property
    def pending(self) -> int:
        """How many states count."""
        return self.count - self.first

    def forget(self) -> None:
        """Let no state count that is there; the file stays as it is."""
        self.first, self.checksum = self.count, 0

    def clear(self) -> None:
        """Remove all states. Raises OSError."""
        os.ftruncate(self._descriptor, 0)
        self.first, self.count, self.checksum, self._synced = 0, 0, 0, 0

    def mark(self) -> FileMark:
        """Return which states count."""
        return FileMark(self.path.name, self.first, self.count, self.checksum)

    def append(self, states: NDArray[np.uint64]) -> None:
        """Write states behind the others. Raises OSError; then they do not count."""
        if not len(states):
            return
        content = np.ascontiguousarray(states).data.cast("B")
        place, done = self.count * self._bytes, 0
        while done < len(content):
            done += os.pwrite(self._descriptor, content[done:], place + done)
        self.checksum = zlib.crc32(content, self.checksum)
        self.count += len(states)

    def blocks(
        self, first: int, last: int, room: NDArray[np.uint64]
    ) -> Iterator[NDArray[np.uint64]]:
        """Yield some of the states, in order; each block is overwritten by the next.

        Args:
            first: number of the first state.
            last: number of the one behind the last.
            room: where to put a block; its length is that of the blocks.

        Raises:
            CheckpointError: the file is shorter than it was.
        """
        while first < last:
            amount = min(len(room), last - first)
            yield self.read(first, room[:amount])
            first += amount

    def read(self, first: int, room: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Read as many states as there is room for, and return them."""
        content = room.data.cast("B")
        place, done = first * self._bytes, 0
        while done < len(content):
            got = os.preadv(self._descriptor, [content[done:]], place + done)
            if not got:
                raise CheckpointError(f"{self.path} is shorter than it was: it was truncated")
            done += got
        self.read_bytes += done
        return room

    def restore(self, mark: FileMark) -> Iterator[NDArray[np.uint64]]:
        """Yield the states of a checkpoint in blocks, and forget what was written behind them.

        Raises:
            CheckpointError: there are fewer, or others than those that were written.
        """
        length, wanted = os.fstat(self._descriptor).st_size, mark.count * self._bytes
        if length < wanted:
            raise CheckpointError(
                f"{self.path} is truncated: {length} of {wanted} bytes are left; "
                "the checkpoint cannot be used"
            )
        found = 0
        for block in self.blocks(mark.first, mark.count, np.empty((BLOCK, self.words), np.uint64)):
            found = zlib.crc32(block.data.cast("B"), found)
            yield block
        if found != mark.checksum:
            raise CheckpointError(
                f"{self.path} is corrupted: its checksum is not the one that was noted; "
                "the checkpoint cannot be used"
            )
        os.ftruncate(self._descriptor, wanted)
        self.first, self.count, self.checksum = mark.first, mark.count, mark.checksum
        self._synced = mark.count

    def sync(self) -> None:
        """Wait until everything is on the disk. Raises OSError."""
        if self._synced != self.count:
            os.fdatasync(self._descriptor)
            self._synced = self.count

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
