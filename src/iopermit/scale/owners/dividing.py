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
_SHIFT: Final = 32 - (PARTITIONS.bit_length() - 1)
"""The uppermost bits of the lower half of a hash are the partition: `partition_of` for arrays."""
_AT_ONCE: Final = 1 << 18
"""States that are divided at once: so many that writing to 64 files does not cost more."""


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
            counts = self._counted(block)
            ends = np.cumsum(counts, dtype=np.uint64)
            places, in_order = ends - counts, self._in_order[: len(block)]
            self._bulk.divide(block, self._hashes, _SHIFT, places, in_order)
            last = 0
            for file, end in zip(self._files, ends.tolist(), strict=True):
                first, last = last, end
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
        done = np.zeros(PARTITIONS, np.uint64)
        for states in expanded:
            for at in range(0, len(states), _AT_ONCE):
                done += self._counted(states[at : at + _AT_ONCE])
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

    def _counted(self, states: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return how many of at most `_AT_ONCE` states each partition has; keep their hashes."""
        hashes = self._hashes[: len(states)]
        self._bulk.hash_states(states, hashes)
        numbers = ((hashes & _LOW) >> np.uint64(_SHIFT)).astype(np.uint8)
        return np.bincount(numbers, minlength=PARTITIONS).astype(np.uint64)
