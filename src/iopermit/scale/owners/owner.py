"""What owners of partitions have in common: expanding, and looking through a level once more.

An owner is used by one thread at a time, and has threads of its own for its work. The order in
which states come to a partition may differ from run to run. Nothing that is reported depends on it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, TypeVar

import numpy as np

from iopermit.scale.counters import Amounts, Counters, added
from iopermit.scale.owners.looking_back import State, least_predecessors, least_violating
from iopermit.scale.owners.partition import PartitionPosition
from iopermit.scale.partitions import PARTITIONS, partition_of
from iopermit.scale.states.bulk import SentStates, as_rows, bulk_functions
from iopermit.scale.states.expander import Expander
from iopermit.search.exploration.loops import NativeLoops

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from numpy.typing import NDArray

    from iopermit.scale.checkpoint.marks import PartitionMark
    from iopermit.search.exploration.memory import Words
    from iopermit.translate.native.jit import Compiled

PORTION: Final = 1 << 14
"""States that a thread expands before anything else is looked at."""
SENT_BITS: Final = 18
"""The cache of a thread has two to the power of this many states."""

Job = TypeVar("Job")
"""What is done by one of several threads."""


class Owner(ABC):
    """Keeps the states of some partitions, and expands them level by level."""

    def __init__(self, compiled: Compiled, numbers: Collection[int], threads: int) -> None:
        """Make empty partitions of these numbers."""
        self.compiled, self.threads = compiled, threads
        self.words = compiled.packing.stored_words
        self.loops, self.bulk = NativeLoops(compiled), bulk_functions(self.words)
        self.positions = {number: PartitionPosition(number) for number in numbers}
        self.send: Callable[[int, NDArray[np.uint64]], None] | None = None
        """Called with the states of a partition of another owner; they are to be copied."""
        self._base = Counters.none(compiled)
        self._expanders = [Expander(compiled, self.loops, PARTITIONS) for _ in range(threads)]
        self._sent = [SentStates(self.bulk, SENT_BITS) for _ in range(threads)]
        self._rooms = [np.empty((PORTION, self.words), np.uint64) for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    # What kinds of owners do differently.

    @abstractmethod
    def count(self, number: int) -> int:
        """Return how many states a partition has."""

    @abstractmethod
    def states(self, number: int, first: int, room: NDArray[np.uint64]) -> NDArray[np.uint64]:
        """Return as many states of a partition as there is room for; it need not be used."""

    @abstractmethod
    def keep(self, number: int, states: int, hashes: int, amount: int) -> None:
        """Take states of a partition at an address, with their hashes; others may be alike.

        Raises:
            MemoryError: there is no room for them.
            OSError: they cannot be written.
        """

    @abstractmethod
    def settle(self) -> bool:
        """Do a portion of what makes states of those that were taken; False: nothing is left."""

    @abstractmethod
    def is_full(self) -> bool:
        """Return whether the memory that may be used is used up."""

    @abstractmethod
    def save(self) -> list[PartitionMark]:
        """Write what is not yet on the disk; return how far every partition is. Raises OSError."""

    @abstractmethod
    def restore(self, marks: Sequence[PartitionMark]) -> None:
        """Take the states of a checkpoint. Raises CheckpointError."""

    @abstractmethod
    def memory(self) -> int:
        """Return the bytes of memory in use."""

    @abstractmethod
    def saved(self) -> None:
        """Take note that a checkpoint of what `save()` returned is complete."""

    def traffic(self) -> tuple[int, int]:
        """Return the bytes of successors that were written to files, and the bytes read."""
        return 0, 0

    # What they have in common.

    def amounts(self) -> Amounts:
        """Return how much there is."""
        return Amounts(self.total(), self.frontier(), self.memory(), *self.traffic())

    def total(self) -> int:
        """Return how many states there are."""
        return sum(self.count(number) for number in self.positions)

    def frontier(self) -> int:
        """Return how many states the present level has."""
        return sum(each.frontier for each in self.positions.values())

    def counters(self) -> Counters:
        """Return what was counted."""
        own = [Counters(e.transitions, tuple(e.totals), e.covered) for e in self._expanders]
        return added([self._base, *own])

    def has_covered(self, first: int) -> bool:
        """Return whether anything of what `Counters.covered` tells was executed, from there on."""
        return any(self._base.covered[first:]) or any(
            each.has_covered(first) for each in self._expanders
        )

    def count_from(self, base: Counters) -> None:
        """Add what was counted before this owner was there."""
        self._base = base

    def receive(self, number: int, states: NDArray[np.uint64]) -> None:
        """Take states of a partition, from another owner or the first of all."""
        hashes = np.empty(len(states), np.uint64)
        self.bulk.hash_states(states, hashes)
        with self.positions[number].lock:
            self.keep(number, states.ctypes.data, hashes.ctypes.data, len(states))

    def insert_initial(self, initial: Words) -> None:
        """Take the first state of all, if it belongs here, and begin the first level."""
        rows = as_rows(initial)
        hashes = np.empty(1, np.uint64)
        self.bulk.hash_states(rows, hashes)
        number = partition_of(int(hashes[0]))
        if number in self.positions:
            self.receive(number, rows)
        while self.settle():
            pass
        self.advance()

    def is_hidden_map_new(self) -> bool:
        """Return whether a hidden map was met that was not known, or that matters."""
        hidden = self.compiled.hidden
        return hidden is not None and hidden.failed

    def expand(self) -> bool:
        """Expand a portion of the present level; False: all of it is expanded.

        Raises:
            MemoryError: there is no room for what it leads to.
            OSError: what it leads to cannot be written.
        """
        jobs, amount = [], 0
        for job in self._portions():
            jobs.append(job)
            amount += job[2] - job[1]
            if amount >= PORTION * self.threads:
                break
        self.in_threads(self._expand, jobs)
        return bool(jobs)

    def flush(self) -> None:
        """Hand on all successors that still are in buffers. Raises as `expand()`."""
        for thread in range(self.threads):
            self._empty(thread)

    def advance(self) -> None:
        """Begin the next level."""
        for number, position in self.positions.items():
            position.advance(self.count(number))

    def least_violating(self, level: int, codes: Collection[int]) -> dict[int, State]:
        """Return the least state of a level for each of some kinds and statements, if any."""
        return least_violating(self._scratch(), self._blocks(level), codes)

    def least_predecessors(self, level: int, targets: Sequence[State]) -> list[State | None]:
        """Return for each state the least one of a level that leads to it, if any."""
        return least_predecessors(self._scratch(), self._blocks(level), targets, self.bulk)

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def in_threads(self, work: Callable[[int, Job], None], jobs: Sequence[Job]) -> None:
        """Do something with each job; ``work`` gets the number of a thread, too."""

        def share(thread: int) -> None:
            for job in jobs[thread :: self.threads]:
                work(thread, job)

        if self._pool is None:
            share(0)
        else:
            list(self._pool.map(share, range(self.threads)))

    def _portions(self) -> Iterator[tuple[int, int, int]]:
        """Yield what is to be expanded: a partition, the first state, the one behind the last."""
        for number, position in self.positions.items():
            while not position.is_expanded:
                first = position.following
                position.following = min(first + PORTION, position.levels[-1])
                yield number, first, position.following

    def _expand(self, thread: int, portion: tuple[int, int, int]) -> None:
        number, first, last = portion
        states = self.states(number, first, self._rooms[thread][: last - first])
        self._expanders[thread].expand(states, lambda: self._empty(thread))

    def _empty(self, thread: int) -> None:
        """Hand on what is in the buffers of a thread."""
        expander, sent = self._expanders[thread], self._sent[thread]
        for number in range(PARTITIONS):
            amount = expander.fill(number)
            if not amount:
                continue
            states, hashes = expander.buffer(number)
            kept = self.bulk.drop_repeated(states, hashes, amount, sent)
            position = self.positions.get(number)
            if position is not None:
                with position.lock:
                    self.keep(number, states, hashes, kept)
            elif kept and self.send is not None:
                self.send(number, expander.rows(number, kept))
            expander.empty(number)

    def _scratch(self) -> Expander:
        return Expander(self.compiled, self.loops, 1)

    def _blocks(self, level: int) -> Iterator[NDArray[np.uint64]]:
        """Yield the states of a level in blocks, each of which is overwritten by the next."""
        for number, position in self.positions.items():
            first, last = position.level(level)
            for at in range(first, last, PORTION):
                yield self.states(number, at, self._rooms[0][: min(PORTION, last - at)])

    def _buffers(self) -> int:
        """Return the bytes of what expanding needs."""
        rooms = sum(room.nbytes for room in self._rooms)
        caches = sum(sent.memory for sent in self._sent)
        return sum(each.memory for each in self._expanders) + caches + rooms
