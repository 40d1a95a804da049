"""Delayed duplicate detection: which of the states that a level leads to are new."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iopermit.scale.states.state_file import BLOCK
from iopermit.scale.states.table import FEWEST_PLACES, StateTable
from iopermit.search.exploration.memory import WORD
from iopermit.search.exploration.visited import LINK

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.scale.states.bulk import BulkFunctions
    from iopermit.scale.states.state_file import StateFile
    from iopermit.search.exploration.loops import NativeLoops


class DuplicateDetection:
    """A table for what a level leads to, and the loops that take out what was visited.

    States are compared whole: the result is exact.
    """

    def __init__(self, loops: NativeLoops, bulk: BulkFunctions, memory: int) -> None:
        """Use so many bytes of memory at most."""
        self._bulk = bulk
        self._room = np.empty((BLOCK, bulk.words), np.uint64)
        self._hashes = np.empty(BLOCK, np.uint64)
        fixed = self._room.nbytes + self._hashes.nbytes
        self._most = _most_candidates(memory - fixed, bulk.words)
        self._table = StateTable(loops, bulk.words, self._most)
        self._marks = np.zeros(self._most, np.uint8)
        self._largest = 0

    @property
    def memory(self) -> int:
        """Bytes that were in use when most were."""
        return self._room.nbytes + self._hashes.nbytes + self._largest

    def settle(self, visited: StateFile, candidates: StateFile) -> None:
        """Append those candidates to the visited states that are not among them.

        If the table is full before all candidates are in it, the rest follows in another round.

        Raises:
            CheckpointError: a file is shorter than it was.
            OSError: the new states cannot be written.
        """
        settled = candidates.first
        while settled < candidates.count:
            settled = self._fill(candidates, settled)
            marks = self._marks[: self._table.count]
            marks[:] = 0
            for block in visited.blocks(0, visited.count, self._room):
                hashes = self._hashed(block)
                self._bulk.mark_known(self._table.record, block, hashes, marks)
            self._append_new(visited, marks)

    def _fill(self, candidates: StateFile, first: int) -> int:
        """Put candidates into the empty table; return the number of the first that is not there."""
        self._table.clear(min(candidates.count - first, self._most))
        for block in candidates.blocks(first, candidates.count, self._room):
            if self._table.count + len(block) > self._most:
                break
            hashes = self._hashed(block)
            self._table.insert(block.ctypes.data, hashes.ctypes.data, len(block))
            first += len(block)
        self._largest = max(self._largest, self._table.memory + self._table.count)
        return first

    def _append_new(self, visited: StateFile, marks: NDArray[np.uint8]) -> None:
        """Write the states without a mark, in blocks."""
        for first in range(0, len(marks), BLOCK):
            new = marks[first : first + BLOCK] == 0
            visited.append(self._table.states[first : first + len(new)][new])

    def _hashed(self, block: NDArray[np.uint64]) -> NDArray[np.uint64]:
        hashes = self._hashes[: len(block)]
        self._bulk.hash_states(block, hashes)
        return hashes


def _most_candidates(memory: int, words: int) -> int:
    """Return how many candidates fit into so many bytes, with index, links and marks."""
    places, state = FEWEST_PLACES, WORD * words + LINK + 1
    while 2 * places * WORD + 3 * 2 * places // 4 * state <= memory:
        places *= 2
    full = 3 * places // 4
    beyond = (memory - 2 * places * WORD) // state
    # With an index of twice as many places, which is not full.
    return max(full, beyond, BLOCK)
