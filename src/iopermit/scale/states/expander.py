"""Expands states with native code, into one buffer for each partition."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.search.exploration.memory import WORD, address, zeroes
from iopermit.search.exploration.visited import LINK
from iopermit.translate.native.shared.labels import VERDICT_SPAN
from iopermit.translate.native.shared.record import PartitionRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from iopermit.search.exploration.loops import NativeLoops
    from iopermit.translate.native.jit import Compiled

_ENTRIES: Final = 1 << 13
"""States in a buffer: some hundred KiB are written at once."""
_EXPANSIONS: Final = 16
"""States at least whose successors all fit into one buffer, in the worst case."""


class Expander:
    """Buffers for successors, one for each partition, and what was counted in expanding."""

    def __init__(self, compiled: Compiled, loops: NativeLoops, partitions: int) -> None:
        """Make empty buffers.

        Args:
            compiled: the model.
            loops: its native loops.
            partitions: how many buffers.
        """
        self.words = words = compiled.packing.stored_words
        self.partitions, self._loops = partitions, loops
        self._most = most = compiled.max_successors + 1
        self.entries = entries = max(_ENTRIES, _EXPANSIONS * most)
        self.states = np.empty((partitions * entries, words), np.uint64)
        self.hashes = np.empty(partitions * entries, np.uint64)
        self.parents = np.empty(partitions * entries, np.uint32)
        self._fill = zeroes(partitions)
        self._successors = zeroes(most * words)
        self._labels = array("I", bytes(most * LINK))
        self._covered = array("B", bytes(compiled.coverage.size))
        self._found = zeroes(2 * VERDICT_SPAN * (len(compiled.model.sites) + 1))
        self.record = PartitionRecord(
            buffers=self.states.ctypes.data,
            parents=self.parents.ctypes.data,
            hashes=self.hashes.ctypes.data,
            fill=address(self._fill),
            entries=entries,
            successors=address(self._successors),
            labels=address(self._labels),
            covered=address(self._covered),
            found=address(self._found),
        )

    @property
    def covered(self) -> bytes:
        """What was executed: a byte for each step, rule and assumed field."""
        return self._covered.tobytes()

    def has_covered(self, first: int) -> bool:
        """Return whether any byte of what was executed is set, from a position on."""
        return any(self._covered[first:])

    @property
    def totals(self) -> list[int]:
        """The number of violating states of each kind and statement."""
        return self._found[1::2].tolist()

    @property
    def lowest(self) -> list[int]:
        """The first of the states that showed each kind and statement, plus one; 0 for none."""
        return self._found[::2].tolist()

    @property
    def transitions(self) -> int:
        """How many successors were found."""
        return self.record.transitions

    @property
    def memory(self) -> int:
        """Bytes of the buffers."""
        return self.states.nbytes + self.hashes.nbytes + self.parents.nbytes

    def forget_found(self) -> None:
        """Begin to note anew which states violate the specification."""
        for place in range(len(self._found)):
            self._found[place] = 0

    def expand(self, states: NDArray[np.uint64], empty: Callable[[], None]) -> None:
        """Expand all states; ``empty`` is called when a buffer has no more room.

        Successors stay in the buffers until then, also behind the end of this call.
        """
        self.record.states, self.record.next = states.ctypes.data, 0
        while self.record.next < len(states):
            room = self.entries - max(self._fill) - self._most
            if room < 0:
                empty()
                continue
            self.record.room = room
            self._loops.expand_chunk(self.record, len(states), 0, self.partitions)
            if self.partitions == 1:
                # Native code writes to an only buffer from its start in every call.
                empty()

    def fill(self, partition: int) -> int:
        """Return how many states are in a buffer."""
        return self._fill[partition]

    def empty(self, partition: int) -> None:
        """Forget what a buffer holds."""
        self._fill[partition] = 0

    def buffer(self, partition: int) -> tuple[int, int]:
        """Return the addresses of the states of a buffer and of their hashes."""
        first = partition * self.entries
        states = self.states.ctypes.data + first * self.words * WORD
        return states, self.hashes.ctypes.data + first * WORD

    def rows(self, partition: int, amount: int) -> NDArray[np.uint64]:
        """Return the first states of a buffer."""
        first = partition * self.entries
        return self.states[first : first + amount]
