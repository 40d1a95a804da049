"""Divides states that lie in one table among the files of their partitions, and reads them again.

In each file the states are in the order of the table, so level by level, and what of the present
level was expanded comes first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.scale.checkpoint.marks import PartitionMark
from iopermit.scale.partitions import PARTITIONS
from iopermit.scale.states.state_file import BLOCK, StateFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from iopermit.scale.states.bulk import BulkFunctions

_LOW: Final = np.uint64(0xFFFFFFFF)
_SHIFT: Final = np.uint64(32 - (PARTITIONS.bit_length() - 1))
"""The uppermost bits of the lower half of a hash are the partition: `partition_of` for arrays."""
_AT_ONCE: Final = 1 << 16
"""States that are divided at once: they stay in the processor's cache."""


class DividedStates:
    """The files of all partitions, to which states are appended level by level."""

    def __init__(self, directory: Path, words: int, bulk: BulkFunctions) -> None:
        """Open the files, or make them. Raises OSError."""
        self._bulk = bulk
        self._files = [StateFile(directory / f"{n:02}.states", words) for n in range(PARTITIONS)]
        self._ends: list[list[int]] = [[] for _ in self._files]
        self._hashes = np.empty(_AT_ONCE, np.uint64)
        self._in_order = np.empty((_AT_ONCE, words), np.uint64)
        self._room = np.empty((BLOCK, words), np.uint64)

    @property
    def levels(self) -> int:
        """How many levels are in the files as a whole."""
        return len(self._ends[0])

    def append(self, states: NDArray[np.uint64]) -> None:
        """Write states, each to the file of its partition. Raises OSError."""
        for at in range(0, len(states), _AT_ONCE):
            block = states[at : at + _AT_ONCE]
            numbers = self._partitions(block)
            in_order, order = self._in_order[: len(block)], np.argsort(numbers, kind="stable")
            # "clip" lets NumPy write to where the states are wanted; no number is out of bounds.
            np.take(block, order, axis=0, out=in_order, mode="clip")
            last = 0
            for file, count in zip(self._files, _counted(numbers), strict=True):
                first, last = last, last + count
                file.append(in_order[first:last])

    def end_level(self) -> None:
        """Note that the states that were appended so far end a level."""
        for file, ends in zip(self._files, self._ends, strict=True):
            ends.append(file.count)

    def marks(self, expanded: Iterable[NDArray[np.uint64]]) -> list[PartitionMark]:
        """Wait until all files are on the disk; return how much of them counts. Raises OSError.

        Args:
            expanded: those states of the last level that ended which were expanded.
        """
        done = np.zeros(PARTITIONS, np.int64)
        for states in expanded:
            for at in range(0, len(states), _AT_ONCE):
                done += _counted(self._partitions(states[at : at + _AT_ONCE]))
        found = []
        for number, (file, ends) in enumerate(zip(self._files, self._ends, strict=True)):
            file.sync()
            first = ends[-2] if ends[1:] else 0
            following = first + int(done[number])
            found.append(PartitionMark(number, file.mark(), tuple(ends), following))
        return found

    def restore(self, mark: PartitionMark) -> None:
        """Verify the file of a partition, and cut off what came behind. Raises CheckpointError."""
        for _ in self._files[mark.number].restore(mark.states):
            pass
        self._ends[mark.number] = list(mark.levels)

    def blocks(self, number: int, first: int, last: int) -> Iterator[NDArray[np.uint64]]:
        """Yield some states of a partition; each block is overwritten by the next."""
        return self._files[number].blocks(first, last, self._room)

    def close(self) -> None:
        """Close the files."""
        for file in self._files:
            file.close()

    def _partitions(self, states: NDArray[np.uint64]) -> NDArray[np.uint8]:
        """Return the numbers of the partitions of at most `_AT_ONCE` states."""
        hashes = self._hashes[: len(states)]
        self._bulk.hash_states(states, hashes)
        return ((hashes & _LOW) >> _SHIFT).astype(np.uint8)


def _counted(numbers: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return how often each partition is among some numbers."""
    return np.bincount(numbers, minlength=PARTITIONS)
