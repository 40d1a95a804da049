"""The part of the visited states that one thread keeps, and that thread's buffers."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

from iopermit.search.exploration.loops import NativeLoops
from iopermit.search.exploration.memory import WORD, MappedMemory, Words, address, zeroes
from iopermit.translate.native.shared.labels import VERDICT_SPAN
from iopermit.translate.native.shared.record import PartitionRecord

if TYPE_CHECKING:
    from iopermit.translate.native.jit import Compiled

_CHUNK: Final = 1 << 15
"""States that are expanded before what they lead to is inserted."""
BUFFER: Final = 1 << 17
"""How many states a buffer holds."""
LINK: Final = 4
"""Bytes of the number that tells where the predecessor of a state is."""
_FIRST_PLACES: Final = 1 << 16


def most_states(memory: int, words: int) -> int:
    """Return how many states of so many words fit into so many bytes, with links and index.

    The index doubles when it is three quarters full, and then needs room beside the old one.
    """
    state, places, most = WORD * words + LINK, _FIRST_PLACES, 0
    while True:
        when_grown = 3 * places // 8 * state + 3 * places // 2 * WORD
        if places > _FIRST_PLACES and when_grown > memory:
            return most
        full = 3 * places // 4
        most = max(most, min(full, (memory - places * WORD) // state))
        if most < full:
            return most
        places *= 2


class Partition:
    """The states whose hash belongs to one thread, and that thread's buffers."""

    def __init__(self, number: int, capacity: int, partitions: int, compiled: Compiled) -> None:
        self.number, self.partitions = number, partitions
        self.words = words = compiled.packing.stored_words
        self.engine = NativeLoops(compiled)
        self.frontier = (0, 0)
        successors = compiled.max_successors + 1
        self._states, self._links = (
            MappedMemory((capacity + 1) * words * WORD),
            MappedMemory(capacity * LINK),
        )
        self._buffers = MappedMemory(partitions * BUFFER * words * WORD)
        self._hashes = MappedMemory(partitions * BUFFER * WORD)
        self._parents = MappedMemory(partitions * BUFFER * LINK)
        self._fill, self._successors = zeroes(partitions), zeroes(successors * words)
        self._labels = array("I", bytes(successors * LINK))
        self._covered = array("B", bytes(compiled.coverage.size))
        self._found = zeroes(2 * VERDICT_SPAN * (len(compiled.model.sites) + 1))
        self.record = PartitionRecord(
            states=self._states.address,
            links=self._links.address,
            buffers=self._buffers.address,
            parents=self._parents.address,
            hashes=self._hashes.address,
            fill=address(self._fill),
            entries=BUFFER,
            room=BUFFER - successors,
            successors=address(self._successors),
            labels=address(self._labels),
            covered=address(self._covered),
            found=address(self._found),
        )
        self._use(MappedMemory(_FIRST_PLACES * WORD))

    @property
    def memory(self) -> int:
        """Bytes in use for states, links and index."""
        return self.record.count * (WORD * self.words + LINK) + self._index.size

    @property
    def covered(self) -> bytes:
        """What was executed: a byte for each step, rule and assumed field."""
        return self._covered.tobytes()

    @property
    def totals(self) -> Words:
        """The number of violating states of each kind and statement."""
        return self._found[1::2]

    @property
    def lowest(self) -> Words:
        """The number of the first violating state of each kind and statement, plus one."""
        return self._found[::2]

    def state(self, index: int) -> Words:
        """Return a copy of a state."""
        return self._states.words(index * self.words, self.words)

    def every_state(self) -> Words:
        """Return a copy of all states, one after the other."""
        return self._states.words(0, self.record.count * self.words)

    def states(self, first: int, last: int) -> bytes:
        """Return a copy of some states, one after the other."""
        return self._states.words(first * self.words, (last - first) * self.words).tobytes()

    def link(self, index: int) -> int:
        """Return where the predecessor of a state is."""
        return self._links.half_word(index)

    def expand(self) -> None:
        """Expand one chunk of the frontier into the buffers."""
        last = min(self.frontier[1], self.record.next + _CHUNK)
        self.engine.expand_chunk(self.record, last, self.number, self.partitions)

    def insert(self, source: Partition) -> None:
        """Insert what another partition's thread found for this one."""
        self.reserve(source._fill[self.number])
        self.engine.insert(self.record, source.record, self.number)

    def empty_buffers(self) -> None:
        """Forget what the buffers hold, once all of it is inserted."""
        for number in range(self.partitions):
            self._fill[number] = 0

    def insert_initial(self, state: Words, value: int) -> None:
        """Insert the first state of all, which has this hash and nothing before it."""
        place = self.number * BUFFER
        self._buffers.write(place * self.words, state)
        self._hashes.write(place, array("Q", [value]))
        self._fill[self.number] = 1
        self.insert(self)
        self.empty_buffers()
        self.frontier = (0, 1)

    def reserve(self, amount: int) -> None:
        """Keep the index at most three quarters full."""
        places = self.record.size
        while 4 * (self.record.count + amount) > 3 * places:
            places *= 2
        if places != self.record.size:
            old, size = self._index, self.record.size
            self._use(MappedMemory(places * WORD))
            self.engine.move_entries(self.record, old.address, size)

    def _use(self, index: MappedMemory) -> None:
        """Take an empty index."""
        self._index = index
        self.record.table, self.record.size = index.address, index.size // WORD
        self.record.shift = 65 - self.record.size.bit_length()
