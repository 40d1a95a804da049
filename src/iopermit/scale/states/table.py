"""A set of states in memory: one after the other, with an index by hash."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.search.exploration.memory import WORD, MappedMemory
from iopermit.search.exploration.visited import LINK
from iopermit.translate.native.shared.record import PartitionRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.search.exploration.loops import NativeLoops

FEWEST_PLACES: Final = 1 << 10
"""Places of an index at first."""


class StateTable:
    """A set of states in the order in which they came; its memory is used when it is written."""

    def __init__(self, loops: NativeLoops, words: int, capacity: int) -> None:
        """Reserve addresses for ``capacity`` states. Raises MemoryError."""
        self.capacity, self._loops, self._words = capacity, loops, words
        self._states = MappedMemory(capacity * words * WORD)
        self._links = MappedMemory(capacity * LINK)
        content = (ctypes.c_uint64 * (capacity * words)).from_address(self._states.address)
        self.states: NDArray[np.uint64] = np.ctypeslib.as_array(content).reshape(-1, words)
        """All places for states; those below `count` are used."""
        self.record = PartitionRecord(states=self._states.address, links=self._links.address)
        self.clear(0)

    @property
    def count(self) -> int:
        """How many states there are."""
        return self.record.count

    @property
    def memory(self) -> int:
        """Bytes in use for states, for what belongs to each, and for the index."""
        return self.count * (WORD * self._words + LINK) + self._index.size

    def clear(self, expected: int) -> None:
        """Remove all states, and make an index for so many."""
        places = FEWEST_PLACES
        while 3 * places < 4 * expected:
            places *= 2
        self.record.count = 0
        self._use(MappedMemory(places * WORD))

    def insert(self, states: int, hashes: int, amount: int) -> None:
        """Insert those of some states that are not there yet.

        Args:
            states: the address of the states.
            hashes: the address of their hashes.
            amount: how many there are; with those that are there at most the capacity.
        """
        if self.count + amount > self.capacity:
            raise MemoryError("a table of states is full")
        self._reserve(amount)
        insert_rows(self._loops, self.record, states, hashes, amount)

    def _reserve(self, amount: int) -> None:
        """Keep the index at most three quarters full."""
        places = self.record.size
        while 4 * (self.count + amount) > 3 * places:
            places *= 2
        if places != self.record.size:
            old, size = self._index, self.record.size
            self._use(MappedMemory(places * WORD))
            self._loops.move_entries(self.record, old.address, size)

    def _use(self, index: MappedMemory) -> None:
        """Take an empty index."""
        self._index = index
        self.record.table, self.record.size = index.address, index.size // WORD
        self.record.shift = 65 - self.record.size.bit_length()


def insert_rows(
    loops: NativeLoops, record: PartitionRecord, states: int, hashes: int, amount: int
) -> None:
    """Insert those of some states that a record has not yet; there has to be room for them.

    Args:
        loops: the native loops of the model.
        record: where they are inserted.
        states: the address of the states.
        hashes: the address of their hashes.
        amount: how many there are.
    """
    parents, fill = _parents(amount), ctypes.c_uint64(amount)
    source = PartitionRecord(
        buffers=states,
        parents=parents.ctypes.data,
        hashes=hashes,
        fill=ctypes.addressof(fill),
        entries=0,
    )
    loops.insert(record, source, 0)


_none = np.zeros(1 << 16, np.uint32)


def _parents(amount: int) -> NDArray[np.uint32]:
    """Return so many numbers for what native code notes of each state, which nobody reads."""
    return _none if amount <= len(_none) else np.zeros(amount, np.uint32)
