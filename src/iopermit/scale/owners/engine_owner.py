"""Keeps all states of a search in memory, in the tables of a search with threads.

Every thread has one table, not one for each partition: fewer buffers, which stay in the processor's
cache, and nothing that looks for repeated states before they are inserted. The number of threads
divides that of the partitions. So all of a partition is in one table, and what of it was expanded
comes before what was not: a checkpoint has the form that it has of any other owner.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.scale.counters import Amounts, Counters, added
from iopermit.scale.owners.dividing import DividedStates
from iopermit.scale.owners.looking_back import least_predecessors, least_violating
from iopermit.scale.partitions import PARTITIONS
from iopermit.scale.states.bulk import bulk_functions
from iopermit.scale.states.expander import Expander
from iopermit.scale.states.table import insert_rows
from iopermit.search.exploration.loops import NativeLoops, home
from iopermit.search.exploration.memory import WORD, address
from iopermit.search.exploration.visited import BUFFER, Partition, most_states

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from iopermit.scale.checkpoint.marks import PartitionMark
    from iopermit.scale.owners.looking_back import State
    from iopermit.search.exploration.memory import Words
    from iopermit.translate.native.jit import Compiled

_BLOCK: Final = 1 << 14
"""States that are looked through at once."""
_MOST: Final = (1 << 32) - 2
"""States that 32-bit numbers tell apart."""


class EngineOwner:
    """Owns every partition in this process; see `LevelOwner` for what its methods are for."""

    def __init__(self, compiled: Compiled, threads: int, memory: int, directory: Path) -> None:
        """Reserve addresses for what fits into so many bytes.

        Args:
            compiled: the model.
            threads: how many; they have to divide the number of partitions.
            memory: bytes for states.
            directory: where checkpoints are written.

        Raises:
            MemoryError: the system does not allow as many addresses.
            OSError: the files of the checkpoint cannot be made.
        """
        assert not PARTITIONS % threads  # see above
        self.compiled, self.words = compiled, compiled.packing.stored_words
        self._loops, self._bulk = NativeLoops(compiled), bulk_functions(self.words)
        self._most = min(most_states(memory // threads, self.words) * threads, _MOST)
        self._capacity = self._most // threads + BUFFER * threads + 1
        self._tables = [
            Partition(number, self._capacity, threads, compiled) for number in range(threads)
        ]
        self._levels: list[list[int]] = [[] for _ in self._tables]
        self._saved = DividedStates(directory, self.words, self._bulk)
        self._written = [0] * threads
        self._base = Counters.none(compiled)
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    # Phases.

    def insert_initial(self, initial: Words) -> None:
        """Take the first state of all, and begin the first level."""
        value = self._loops.hash_state(address(initial))
        self._tables[home(value, len(self._tables))].insert_initial(initial, value)
        self.advance()

    def expand(self) -> bool:
        """Expand a portion with each thread, and insert what it leads to. Raises MemoryError."""
        if all(table.record.next >= table.frontier[1] for table in self._tables):
            return False
        self._each(Partition.expand)
        self._each(self._insert_all)
        for table in self._tables:
            table.empty_buffers()
        return True

    def _insert_all(self, table: Partition) -> None:
        for source in self._tables:
            table.insert(source)

    def _each(self, work: Callable[[Partition], None]) -> None:
        if self._pool is None:
            work(self._tables[0])
        else:
            list(self._pool.map(work, self._tables))

    def flush(self) -> None:
        """Do nothing: buffers are empty between portions."""

    def settle(self) -> bool:
        """Do nothing: what was inserted is settled."""
        return False

    def advance(self) -> None:
        """Begin the next level."""
        for table, levels in zip(self._tables, self._levels, strict=True):
            table.frontier = (levels[-1] if levels else 0, table.record.count)
            table.record.next = table.frontier[0]
            levels.append(table.record.count)

    # How far it is.

    def total(self) -> int:
        """Return how many states there are."""
        return sum(table.record.count for table in self._tables)

    def frontier(self) -> int:
        """Return how many states the present level has."""
        return sum(last - first for first, last in (table.frontier for table in self._tables))

    def amounts(self) -> Amounts:
        """Return how much there is."""
        memory = sum(table.memory for table in self._tables)
        return Amounts(self.total(), self.frontier(), memory)

    def counters(self) -> Counters:
        """Return what was counted."""
        own = [Counters(t.record.transitions, tuple(t.totals), t.covered) for t in self._tables]
        return added([self._base, *own])

    def count_from(self, base: Counters) -> None:
        """Add what was counted before this owner was there."""
        self._base = base

    def has_covered(self, first: int) -> bool:
        """Return whether anything of what `Counters.covered` tells was executed, from there on."""
        return any(self._base.covered[first:]) or any(any(t.covered[first:]) for t in self._tables)

    def is_hidden_map_new(self) -> bool:
        """Return whether a hidden map was met that was not known, or that matters."""
        hidden = self.compiled.hidden
        return hidden is not None and hidden.failed

    def is_full(self) -> bool:
        """Return whether the memory that may be used is used up."""
        room = self._capacity - BUFFER * len(self._tables)
        return self.total() >= self._most or any(t.record.count >= room for t in self._tables)

    # Checkpoints.

    def save(self) -> list[PartitionMark]:
        """Write the states that came since the last time, level by level. Raises OSError."""
        present = len(self._levels[0])
        for level in range(self._saved.levels, present + 1):
            for table, levels in zip(self._tables, self._levels, strict=True):
                last = levels[level] if level < present else table.record.count
                self._saved.append(self._rows(table, self._written[table.number], last))
                self._written[table.number] = last
            if level < present:
                self._saved.end_level()
        return self._saved.marks(
            self._rows(table, table.frontier[0], table.record.next) for table in self._tables
        )

    def saved(self) -> None:
        """Do nothing: every file is still needed."""

    def restore(self, marks: Sequence[PartitionMark]) -> None:
        """Insert the states of a checkpoint, level by level.

        Raises:
            MemoryError: they are more than the memory that may be used.
            CheckpointError: a file is damaged.
        """
        for mark in marks:
            self._saved.restore(mark)
        for table in self._tables:
            self._restore(table, [mark for mark in marks if self._is_of(mark, table)])

    def _is_of(self, mark: PartitionMark, table: Partition) -> bool:
        return mark.number * len(self._tables) // PARTITIONS == table.number

    def _restore(self, table: Partition, marks: Sequence[PartitionMark]) -> None:
        levels = self._levels[table.number]
        for level in range(len(marks[0].levels)):
            ranges = [(m, m.levels[level - 1] if level else 0, m.levels[level]) for m in marks]
            # What was expanded of the present level comes first; of those before it, all was.
            for mark, first, last in ranges:
                self._insert(table, mark, first, min(last, mark.following))
            table.record.next = table.record.count
            for mark, first, last in ranges:
                self._insert(table, mark, max(first, mark.following), last)
            levels.append(table.record.count)
        table.frontier = (levels[-2] if levels[1:] else 0, levels[-1])
        for mark in marks:
            self._insert(table, mark, mark.levels[-1], mark.states.count)
        self._written[table.number] = table.record.count

    def _insert(self, table: Partition, mark: PartitionMark, first: int, last: int) -> None:
        """Insert states of a file. Raises MemoryError, CheckpointError."""
        for block in self._saved.blocks(mark.number, first, last):
            amount, states = len(block), block.ctypes.data
            if table.record.count + amount > self._capacity:
                raise MemoryError("a table of states is full")
            hashes = np.empty(amount, np.uint64)
            self._bulk.hash_states(block, hashes)
            table.reserve(amount)
            insert_rows(self._loops, table.record, states, hashes.ctypes.data, amount)

    # Paths.

    def least_violating(self, level: int, codes: Collection[int]) -> dict[int, State]:
        """Return the least state of a level for each of some kinds and statements, if any."""
        return least_violating(self._scratch(), self._blocks(level), codes)

    def least_predecessors(self, level: int, targets: Sequence[State]) -> list[State | None]:
        """Return for each state the least one of a level that leads to it, if any."""
        return least_predecessors(self._scratch(), self._blocks(level), targets, self._bulk)

    def close(self) -> None:
        """End the threads, and close the files."""
        if self._pool is not None:
            self._pool.shutdown()
        self._saved.close()

    def _scratch(self) -> Expander:
        return Expander(self.compiled, self._loops, 1)

    def _blocks(self, level: int) -> Iterator[NDArray[np.uint64]]:
        for table, levels in zip(self._tables, self._levels, strict=True):
            first, last = (levels[level - 1] if level else 0), levels[level]
            for at in range(first, last, _BLOCK):
                yield self._rows(table, at, min(at + _BLOCK, last))

    def _rows(self, table: Partition, first: int, last: int) -> NDArray[np.uint64]:
        """Return states where they are."""
        return self._bulk.at(table.record.states + first * self.words * WORD, last - first)
