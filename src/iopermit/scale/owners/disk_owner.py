"""Keeps the states of partitions in files, and detects duplicates when a level was expanded.

What a level leads to is written to one file for each partition. Then each partition in turn puts
it into a table in memory, as much as there is room for, reads its visited states once, takes out
of the table what was visited, and writes the rest behind the visited states.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

from iopermit.scale.checkpoint.marks import FileMark, PartitionMark
from iopermit.scale.errors import ScaleError
from iopermit.scale.owners.owner import Owner
from iopermit.scale.owners.settling import DuplicateDetection
from iopermit.scale.states.state_file import StateFile

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from iopermit.translate.native.jit import Compiled

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
        self._spilled: dict[int, StateFile] = {}
        self._settled: list[StateFile] = []
        """Files that the last checkpoint may need, and the next one does not."""
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
        file = self._spilled.get(number)
        if file is None:
            level = len(self.positions[number].levels)
            file = StateFile(self._directory / f"{number:02}.spilled-{level}", self.words)
            self._spilled[number] = file
        rows = self.bulk.at(states, amount)
        file.append(rows)
        self._spilled_bytes += rows.nbytes

    def settle(self) -> bool:
        """Detect the duplicates of a partition for each thread."""
        numbers = list(itertools.islice(self._spilled, self.threads))
        self.each_in_a_thread(self._settle, numbers)
        for number in numbers:
            self._settled.append(self._spilled.pop(number))
        return bool(numbers)

    def _settle(self, thread: int, number: int) -> None:
        self._detections[thread].settle(self._files[number], self._spilled[number])

    def is_full(self) -> bool:
        """Return False: the limit is kept, however many states there are."""
        return False

    def memory(self) -> int:
        """Return the bytes of buffers and tables."""
        return self._buffers() + sum(each.memory for each in self._detections)

    def traffic(self) -> tuple[int, int]:
        """Return the bytes of successors that were written to files, and the bytes read."""
        files = itertools.chain(self._files.values(), self._spilled.values(), self._settled)
        return self._spilled_bytes, self._read_before + sum(each.read_bytes for each in files)

    _read_before = 0
    """Bytes read from files that are removed."""

    def save(self) -> list[PartitionMark]:
        """Wait until all files are on the disk."""
        marks = []
        for number, file in self._files.items():
            position, spilled = self.positions[number], self._spilled.get(number)
            file.sync()
            if spilled is not None:
                spilled.sync()
            marks.append(
                PartitionMark(
                    number,
                    _mark(file),
                    tuple(position.levels),
                    position.following,
                    None if spilled is None else _mark(spilled),
                )
            )
        return marks

    def saved(self) -> None:
        """Remove what only the checkpoint before the last one needed."""
        for file in self._settled:
            self._read_before += file.read_bytes
            file.close()
            file.path.unlink(missing_ok=True)
        self._settled.clear()

    def restore(self, marks: Sequence[PartitionMark]) -> None:
        """Verify the files of a checkpoint, and cut off what came behind it."""
        for mark in marks:
            position = self.positions[mark.number]
            _verify(self._files[mark.number], mark.states)
            position.levels, position.following = list(mark.levels), mark.following
            if mark.spilled is not None:
                file = StateFile(self._directory / mark.spilled.name, self.words)
                _verify(file, mark.spilled)
                self._spilled[mark.number] = file

    def close(self) -> None:
        """End the threads, and close the files."""
        super().close()
        for file in (*self._files.values(), *self._spilled.values(), *self._settled):
            file.close()


def _mark(file: StateFile) -> FileMark:
    return FileMark(file.path.name, file.count, file.checksum)


def _verify(file: StateFile, mark: FileMark) -> None:
    for _ in file.restore(mark.count, mark.checksum):
        pass
