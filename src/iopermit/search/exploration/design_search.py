"""Breadth-first search of a compiled model: the level loop, threads, the first violations."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopermit.engine.ending import BrokenAssumption, Interrupted, MemoryLimit, NoRoom
from iopermit.engine.progress import Progress
from iopermit.engine.result import SearchResult
from iopermit.search.exploration import visited
from iopermit.search.exploration.loops import home
from iopermit.search.exploration.memory import Words, address
from iopermit.search.exploration.visited import Partition
from iopermit.translate.model.nodes import NO_ROOM, VERDICTS, VIOLATIONS
from iopermit.translate.native.shared.labels import VERDICT_SPAN

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from iopermit.engine.control import Control
    from iopermit.translate.native.jit import Compiled

_PROGRESS_SECONDS = 0.5
_WORTH_FINISHING = 1 << 20
"""States up to which a search goes on after a broken assumption: a violation would be real."""


@dataclass
class DesignSearchResult(SearchResult):
    """What the search of a design ends with."""

    exhausted: bool = False
    violations: dict[str, int] = field(default_factory=dict)
    """Number of violating states per verdict."""
    found: dict[tuple[str, int], list[Words]] = field(default_factory=dict)
    """Stored states from the initial one to the first violation of each kind and statement."""
    full: Words | None = None
    """A stored state from which a schedule cannot go on for want of slots."""
    covered: bytes = b""
    """What was executed: a byte for each step, rule and assumed field."""

    @property
    def limited(self) -> bool:
        """Whether a limit or Ctrl-C ended it: it would end a repetition as well."""
        return self.ending is not None and self.ending.ends_repetition

    def shortest_first(self) -> list[tuple[tuple[str, int], list[Words]]]:
        """Return what was found, the shortest schedule first."""
        return sorted(self.found.items(), key=lambda item: (len(item[1]), item[0]))


class DesignSearch:
    """One breadth-first search of a compiled model."""

    def __init__(self, compiled: Compiled, control: Control, threads: int = 1) -> None:
        """Prepare memory for up to the limits; pages are only used when they are written."""
        self.compiled, self.control, self.threads = compiled, control, threads
        limits = control.limits
        memory = limits.max_memory or default_memory()
        most = visited.most_states(memory // threads, compiled.packing.stored_words) * threads
        most = min(most, (1 << 32) - 2, limits.max_states or (1 << 40))
        self.capacity = most // threads + visited.BUFFER * threads + 1
        self.most = most
        self.partitions = [
            Partition(number, self.capacity, threads, compiled) for number in range(threads)
        ]
        self.result = DesignSearchResult()
        self._started = time.monotonic()
        self._root = 0
        self._goals = list(range(len(VERDICTS)))

    def run(
        self, initial: Words, *, stop: bool = True, goals: frozenset[str] = VIOLATIONS
    ) -> DesignSearchResult:
        """Search from a stored state; stop at the depth of the first violation if asked.

        ``goals`` are the kinds that count; other violating states are just not continued.
        """
        self._goals = [number for number, name in enumerate(VERDICTS) if name in goals]
        self._insert_initial(initial)
        last_report = self._started
        pool = _pool(self.threads) if self.threads > 1 else None
        with self.control.interruption:
            try:
                while self._goes_on(stop=stop):
                    self._level(pool, stop=stop)
                    now = time.monotonic()
                    if now - last_report > _PROGRESS_SECONDS:
                        last_report = now
                        self.control.report(self.progress())
            except KeyboardInterrupt:
                self.result.ending = Interrupted()
            finally:
                if pool is not None:
                    pool.shutdown()
            return self._finish(stop=stop)

    def _goes_on(self, *, stop: bool) -> bool:
        violated = stop and self._violating()
        return self._frontier() > 0 and self.result.ending is None and not violated

    def progress(self) -> Progress:
        """Return how far the search is."""
        return Progress(
            self._states(), self.result.depth, self._frontier(),
            sum(p.record.transitions for p in self.partitions),
            time.monotonic() - self._started, sum(p.memory for p in self.partitions),
        )  # fmt: skip

    # Internals.

    def _states(self) -> int:
        return sum(p.record.count for p in self.partitions)

    def _frontier(self) -> int:
        return sum(p.frontier[1] - p.frontier[0] for p in self.partitions)

    def _violating(self) -> bool:
        return any(
            any(totals[goal::VERDICT_SPAN])
            for totals in (p.totals for p in self.partitions)
            for goal in self._goals
        )

    def _insert_initial(self, initial: Words) -> None:
        value = self.partitions[0].engine.hash_state(address(initial))
        self._root = home(value, self.threads)
        self.partitions[self._root].insert_initial(initial, value)

    def _level(self, pool: ThreadPoolExecutor | None, *, stop: bool) -> None:
        """Expand the whole frontier."""
        for each in self.partitions:
            each.record.next = each.frontier[0]
        while self._expanding() and self.result.ending is None:
            self._each(pool, Partition.expand)
            self._each(pool, self._insert_all)
            for each in self.partitions:
                each.empty_buffers()
            self._check_limits()
        for each in self.partitions:
            each.frontier = (each.frontier[1], each.record.count)
        if not (stop and self._violating()):
            self.result.depth += 1

    def _expanding(self) -> bool:
        return any(p.record.next < p.frontier[1] for p in self.partitions)

    def _insert_all(self, home_of_states: Partition) -> None:
        for source in self.partitions:
            home_of_states.insert(source)

    def _each(self, pool: ThreadPoolExecutor | None, work: Callable[[Partition], None]) -> None:
        if pool is None:
            work(self.partitions[0])
        else:
            list(pool.map(work, self.partitions))

    def _check_limits(self) -> None:
        ending = self.control.ending(self._states())
        if not isinstance(ending, Interrupted) and self._is_in_vain():
            ending = BrokenAssumption()
        elif ending is None and self._is_full():
            ending = MemoryLimit()
        self.result.ending = ending

    def _is_full(self) -> bool:
        buffers = visited.BUFFER * self.threads
        return self._states() >= self.most or any(
            p.record.count + buffers >= self.capacity for p in self.partitions
        )

    def _is_in_vain(self) -> bool:
        """Return whether what is found does not count, or a large search will not."""
        hidden, watched = self.compiled.hidden, self.compiled.coverage.assumption(0)
        if hidden is not None and hidden.failed:
            return True
        large = self._states() > _WORTH_FINISHING
        return large and any(any(p.covered[watched:]) for p in self.partitions)

    def _finish(self, *, stop: bool) -> DesignSearchResult:
        result = self.result
        if isinstance(result.ending, BrokenAssumption) and self.control.interruption.requested:
            # Ctrl-C has come since the last look at the limits: nothing is repeated now.
            result.ending = Interrupted()
        result.states, result.memory = self._states(), sum(p.memory for p in self.partitions)
        result.transitions = sum(p.record.transitions for p in self.partitions)
        result.seconds = time.monotonic() - self._started
        result.exhausted = not self._frontier() and result.ending is None
        result.covered = bytes(map(max, zip(*(p.covered for p in self.partitions), strict=True)))
        totals = {
            name: sum(sum(p.totals[number::VERDICT_SPAN]) for p in self.partitions)
            for number, name in enumerate(VERDICTS)
        }
        result.violations = {name: n for name, n in totals.items() if n and name in VIOLATIONS}
        if totals[VERDICTS[NO_ROOM]] and result.ending is None:
            result.ending, result.exhausted = NoRoom(), False
            result.full = self._state_without_room()
        if not isinstance(result.ending, BrokenAssumption):
            self._paths()
        if stop and result.found:
            result.depth = min(len(path) for path in result.found.values()) - 1
        return result

    def _paths(self) -> None:
        """Find for each kind and statement the schedule to the violation of least depth."""
        for number, each in enumerate(self.partitions):
            for code, lowest in enumerate(each.lowest):
                statement, verdict = divmod(code, VERDICT_SPAN)
                if not lowest or verdict not in self._goals:
                    continue
                key = (VERDICTS[verdict], statement)
                path = self._path(lowest - 1, number)
                known = self.result.found.get(key)
                if known is None or len(path) < len(known):
                    self.result.found[key] = path

    def _state_without_room(self) -> Words:
        states = (p.state(p.lowest[NO_ROOM] - 1) for p in self.partitions if p.lowest[NO_ROOM])
        return next(states)

    def _path(self, index: int, number: int) -> list[Words]:
        path: list[Words] = []
        while True:
            home_of_state = self.partitions[number]
            path.append(home_of_state.state(index))
            if index == 0 and number == self._root:
                return path[::-1]
            index, number = divmod(home_of_state.link(index), self.threads)


def _pool(threads: int) -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # one thread needs none

    return ThreadPoolExecutor(threads)


def default_memory() -> int:
    """Return the default memory limit in bytes: 4 GiB, or half of the machine's memory if less."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        machine = 8 << 30
    return min(4 << 30, machine // 2)
