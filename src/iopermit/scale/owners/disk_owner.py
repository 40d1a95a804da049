"""Keeps the states of partitions in files, and detects duplicates when a level was expanded.

What a level leads to is written to one file for each partition. Then each partition in turn puts
it into a table in memory, as much as there is room for, reads its visited states once, takes out
of the table what was visited, and writes the rest behind the visited states.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from iopermit.scale.checkpoint.marks import PartitionMark
from iopermit.scale.errors import ScaleError
from iopermit.scale.owners.owner import Owner
from iopermit.scale.owners.settling import DuplicateDetection
from iopermit.scale.states.state_file import StateFile

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from iopermit.scale.checkpoint.marks import FileMark
    from iopermit.translate.native.jit import Compiled

_PORTION: Final = 1 << 20
"""States that a thread reads at least before anything else is looked at."""
_LEAST_TABLE: Final = 4 << 20
"""Bytes of the smallest table in which duplicates are detected."""


class DiskOwner(Owner):
    """Keeps all states in files of a directory; memory is needed for one partition at a time."""

    def __init__(
        self,
        compiled: Compiled,
        numbers: Collection[int],
        threads: int,
        memory: int,
        directory: Path,
    ) -> None:
        """Use so many bytes of memory at most.

        Raises:
            ScaleError: that is too little.
            OSError: the files cannot be made.
        """
        super().__init__(compiled, numbers, threads)
        self._directory = directory
        left = (memory - self._buffers()) // threads
        if left < _LEAST_TABLE:
            least = (self._buffers() + threads * _LEAST_TABLE + (1 << 20) - 1) >> 20
            raise ScaleError(
                f"a search on disk needs {least} MiB of memory with --threads {threads}; "
                f"raise --max-memory to at least {least}M"
            )
        self._detections = [DuplicateDetection(self.loops, self.bulk, left) for _ in range(threads)]
        self._files = {n: StateFile(directory / f"{n:02}.states", self.words) for n in numbers}
        self._spilled = {n: StateFile(directory / f"{n:02}.spilled", self.words) for n in numbers}
        self._spilled_bytes = 0

    def count(self, number: int) -> int:
        """Return how many states a partition has."""
        return self._files[number].count

    def states(self, number: int, first: int, room: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Read states."""
        return self._files[number].read(first, room)

    def keep(self, number: int, states: int, hashes: int, amount: int) -> None:
        """Write states to the file of what the level leads to."""
        del hashes  # they are computed anew: that is faster than reading them
        rows = self.bulk.at(states, amount)
        self._spilled[number].append(rows)
        self._spilled_bytes += rows.nbytes

    def settle(self) -> bool:
        """Detect the duplicates of a partition for each thread."""
        numbers, amount = [], 0
        for number, spilled in self._spilled.items():
            if spilled.pending and amount < self.threads * _PORTION:
                numbers.append(number)
                amount += spilled.pending + self.count(number)
        self.in_threads(self._settle, numbers)
        return bool(numbers)

    def _settle(self, thread: int, number: int) -> None:
        self._detections[thread].settle(self._files[number], self._spilled[number])
        self._spilled[number].forget()

    def is_full(self) -> bool:
        """Return False: the limit is kept, however many states there are."""
        return False

    def memory(self) -> int:
        """Return the bytes of buffers and tables."""
        return self._buffers() + sum(each.memory for each in self._detections)

    def traffic(self) -> tuple[int, int]:
        """Return the bytes of successors that were written to files, and the bytes read."""
        files = itertools.chain(self._files.values(), self._spilled.values())
        return self._spilled_bytes, sum(each.read_bytes for each in files)

    def save(self) -> list[PartitionMark]:
        """Wait until all files are on the disk."""
        marks = []
        for number, file in self._files.items():
            position, spilled = self.positions[number], self._spilled[number]
            file.sync()
            spilled.sync()
            marks.append(
                PartitionMark(
                    number,
                    file.mark(),
                    tuple(position.levels),
                    position.following,
                    spilled.mark() if spilled.pending else None,
                )
            )
        return marks

    def saved(self) -> None:
        """Empty the files that only the checkpoint before the last one needed."""
        for spilled in self._spilled.values():
            if spilled.count and not spilled.pending:
                spilled.clear()

    def restore(self, marks: Sequence[PartitionMark]) -> None:
        """Verify the files of a checkpoint, and cut off what came behind it."""
        for mark in marks:
            position = self.positions[mark.number]
            position.levels, position.following = list(mark.levels), mark.following
            _verify(self._files[mark.number], mark.states)
            if mark.spilled is not None:
                _verify(self._spilled[mark.number], mark.spilled)

    def close(self) -> None:
        """End the threads, and close the files."""
        super().close()
        for file in (*self._files.values(), *self._spilled.values()):
            file.close()


def _verify(file: StateFile, mark: FileMark) -> None:
    for _ in file.restore(mark):
        pass
