"""Keeps the states of partitions in memory; the new ones are written to files for checkpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.scale.checkpoint.marks import PartitionMark
from iopermit.scale.owners.owner import Owner
from iopermit.scale.states.state_file import StateFile
from iopermit.scale.states.table import StateTable
from iopermit.search.exploration.visited import most_states

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from iopermit.translate.native.jit import Compiled

_MARGIN: Final = 1 << 17
"""Places of a partition beyond its limit: what threads add to it before the limit is looked at."""


class MemoryOwner(Owner):
    """Keeps all states in memory. A directory is needed for checkpoints only."""

    def __init__(
        self,
        compiled: Compiled,
        numbers: Collection[int],
        threads: int,
        memory: int,
        directory: Path | None = None,
    ) -> None:
        """Reserve addresses for what fits into so many bytes. Raises MemoryError, OSError."""
        super().__init__(compiled, numbers, threads)
        self._most = most_states(memory // len(numbers), self.words)
        capacity = self._most + _MARGIN
        self._tables = {n: StateTable(self.loops, self.words, capacity) for n in numbers}
        self._files = (
            {n: StateFile(directory / f"{n:02}.states", self.words) for n in numbers}
            if directory is not None
            else {}
        )

    def count(self, number: int) -> int:
        """Return how many states a partition has."""
        return self._tables[number].count

    def states(self, number: int, first: int, room: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return states where they are."""
        return self._tables[number].states[first : first + len(room)]

    def keep(self, number: int, states: int, hashes: int, amount: int) -> None:
        """Insert states that are new."""
        self._tables[number].insert(states, hashes, amount)

    def settle(self) -> bool:
        """Do nothing: what was taken is settled."""
        return False

    def is_full(self) -> bool:
        """Return whether a partition is full; all have as many states, but for chance."""
        return any(table.count >= self._most for table in self._tables.values())

    def memory(self) -> int:
        """Return the bytes of the states."""
        return sum(table.memory for table in self._tables.values())

    def save(self) -> list[PartitionMark]:
        """Write the states that came since the last time."""
        marks = []
        for number, file in self._files.items():
            table, position = self._tables[number], self.positions[number]
            file.append(table.states[file.count : table.count])
            file.sync()
            levels = tuple(position.levels)
            marks.append(PartitionMark(number, file.mark(), levels, position.following))
        return marks

    def saved(self) -> None:
        """Do nothing: every file is still needed."""

    def restore(self, marks: Sequence[PartitionMark]) -> None:
        """Insert the states of a checkpoint, and what was not yet settled in one of files."""
        for mark in marks:
            position, file = self.positions[mark.number], self._files[mark.number]
            for block in file.restore(mark.states):
                self.receive(mark.number, block)
            position.levels, position.following = list(mark.levels), mark.following
            if mark.spilled is not None:
                spilled = StateFile(file.path.parent / mark.spilled.name, self.words)
                for block in spilled.restore(mark.spilled):
                    self.receive(mark.number, block)
                spilled.close()

    def close(self) -> None:
        """End the threads, and close the files."""
        super().close()
        for file in self._files.values():
            file.close()
