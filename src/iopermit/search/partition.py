"""The part of the visited states that one thread keeps, and that thread's buffers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from iopermit.search.engine import Engine
from iopermit.translate.native_labels import VERDICT_SPAN
from iopermit.translate.native_record import Record

if TYPE_CHECKING:
    from iopermit.translate.jit import Compiled

Words = NDArray[np.uint64]
_CHUNK: Final = 1 << 15
"""States that are expanded before what they lead to is inserted."""
BUFFER: Final = 1 << 17
"""How many states a buffer holds."""
_FIRST_TABLE_BITS: Final = 16


class Partition:
    """The states whose hash belongs to one thread, and that thread's buffers."""

    def __init__(self, number: int, capacity: int, partitions: int, compiled: Compiled) -> None:
        self.number, self.partitions = number, partitions
        self.words = words = compiled.packing.stored_words
        self.engine = Engine(compiled)
        self.states: Words = np.empty(capacity * words + words, np.uint64)
        self.links: NDArray[np.uint32] = np.empty(capacity, np.uint32)
        self.table: Words = np.zeros(1 << _FIRST_TABLE_BITS, np.uint64)
        self.frontier = (0, 0)
        successors = compiled.max_successors + 1
        self.fill = np.zeros(partitions, np.int64)
        self.covered: NDArray[np.uint8] = np.zeros(compiled.coverage_size, np.uint8)
        self.found = np.zeros((VERDICT_SPAN * (len(compiled.model.sites) + 1), 2), np.int64)
        self._buffers: Words = np.empty(partitions * BUFFER * words, np.uint64)
        self._hashes: Words = np.empty(partitions * BUFFER, np.uint64)
        self._parents: NDArray[np.uint32] = np.empty(partitions * BUFFER, np.uint32)
        self._arrays: dict[str, NDArray[Any]] = {
            "states": self.states,
            "links": self.links,
            "buffers": self._buffers,
            "parents": self._parents,
            "hashes": self._hashes,
            "fill": self.fill,
            "successors": np.zeros(successors * words, np.uint64),
            "labels": np.zeros(successors, np.uint32),
            "covered": self.covered,
            "found": self.found,
        }
        addresses = {name: array.ctypes.data for name, array in self._arrays.items()}
        self.record = Record(entries=BUFFER, room=BUFFER - successors, **addresses)
        self._use(self.table)

    @property
    def memory(self) -> int:
        """Bytes in use for states, links and index."""
        return self.record.count * (8 * self.words + 4) + self.table.nbytes

    def expand(self) -> None:
        """Expand one chunk of the frontier into the buffers."""
        last = min(self.frontier[1], self.record.next + _CHUNK)
        self.engine.expand_chunk(self.record, last, self.number, self.partitions)

    def insert(self, source: Partition) -> None:
        """Insert what another partition's thread found for this one."""
        self.reserve(int(source.fill[self.number]))
        self.engine.insert(self.record, source.record, self.number)

    def insert_initial(self, state: Words, value: int) -> None:
        """Insert the first state of all."""
        place = self.number * BUFFER
        self._buffers[place * self.words : (place + 1) * self.words] = state[: self.words]
        self._hashes[place], self._parents[place] = value, 0
        self.fill[self.number] = 1
        self.insert(self)
        self.fill[self.number] = 0
        self.frontier = (0, 1)

    def reserve(self, amount: int) -> None:
        """Keep the index at most half full."""
        size = len(self.table)
        while 2 * (self.record.count + amount) > size:
            size *= 2
        if size != len(self.table):
            old = self.table
            self._use(np.zeros(size, np.uint64))
            self.engine.move_entries(self.record, old.ctypes.data, len(old))

    def _use(self, table: Words) -> None:
        self.table = table
        self.record.table, self.record.size = table.ctypes.data, len(table)
        self.record.shift = 65 - len(table).bit_length()
