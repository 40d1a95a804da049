"""Breadth-first exploration of a compiled model: limits, threads, progress, first violation."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopermit.engine.interruption import Interruption
from iopermit.engine.progress import Progress, ProgressCallback
from iopermit.search import partition
from iopermit.search.engine import home
from iopermit.search.memory import Words, address
from iopermit.search.native import Native, initial_state
from iopermit.search.partition import Partition
from iopermit.translate.model.nodes import NO_ROOM, VERDICTS, VIOLATIONS
from iopermit.translate.native.shared.labels import VERDICT_SPAN

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import ThreadPoolExecutor

    from iopermit.engine.limits import Limits
    from iopermit.translate.model.initial_state import InitialValues
    from iopermit.translate.native.jit import Compiled

_PROGRESS_SECONDS = 0.5
INTERRUPTED = "interrupted"
"""Reason of a search that Ctrl-C ended."""
_WORTH_FINISHING = 1 << 20
"""States up to which a search goes on after a broken assumption: a violation would be real."""
FULL = "the model has no room for what the design keeps"
"""Reason of a search some schedules of which end for want of slots."""
AGAIN = "an assumption of a reduction turned out wrong"
"""Reason of a search that has to be repeated without it."""


@dataclass
class Exploration:
    """What an exploration found."""

    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    memory: int = 0
    exhausted: bool = False
    reason: str = ""
    """Which limit ended it, or empty."""
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
        return self.reason not in {"", AGAIN, FULL}

    def shortest_first(self) -> list[tuple[tuple[str, int], list[Words]]]:
        """Return what was found, the shortest schedule first."""
        return sorted(self.found.items(), key=lambda item: (len(item[1]), item[0]))


class Explorer:
    """One breadth-first exploration."""

    def __init__(self, compiled: Compiled, limits: Limits, threads: int = 1) -> None:
        """Prepare memory for up to the limits; pages are only used when they are written."""
        self.compiled, self.limits, self.threads = compiled, limits, threads
        memory = limits.max_memory or default_memory()
        most = partition.most_states(memory // threads, compiled.packing.stored_words) * threads
        most = min(most, (1 << 32) - 2, limits.max_states or (1 << 40))
        self.capacity = most // threads + partition.BUFFER * threads + 1
        self.most = most
        self.partitions = [
            Partition(number, self.capacity, threads, compiled) for number in range(threads)
        ]
        self.result = Exploration()
        self._interruption = Interruption()
        self._started = time.monotonic()
        self._root = 0
        self._goals = list(range(len(VERDICTS)))

    def run(
        self,
        initial: Words,
        *,
        stop: bool = True,
        goals: frozenset[str] = VIOLATIONS,
        progress: ProgressCallback | None = None,
    ) -> Exploration:
        """Explore from a stored state; stop at the depth of the first violation if asked.

        ``goals`` are the kinds that count; other violating states are just not continued.
        """
        self._goals = [number for number, name in enumerate(VERDICTS) if name in goals]
        self._insert_initial(initial)
        last_report = self._started
        pool = _pool(self.threads) if self.threads > 1 else None
        with self._interruption as self._interruption:
            try:
                while self._goes_on(stop=stop):
                    self._level(pool, stop=stop)
                    now = time.monotonic()
                    if progress is not None and now - last_report > _PROGRESS_SECONDS:
                        last_report = now
                        progress(self.progress())
            except KeyboardInterrupt:
                self.result.reason = INTERRUPTED
            finally:
                if pool is not None:
                    pool.shutdown()
            return self._finish(stop=stop)

    def _goes_on(self, *, stop: bool) -> bool:
        violated = stop and self._violating()
        return self._frontier() > 0 and not self.result.reason and not violated

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
        while self._expanding() and not self.result.reason:
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
        if self._interruption.requested:
            self.result.reason = INTERRUPTED
        elif self._is_in_vain():
            self.result.reason = AGAIN
        elif (
            self.limits.timeout is not None
            and time.monotonic() - self._started > self.limits.timeout
        ):
            self.result.reason = f"the time limit of {self.limits.timeout:g} s was reached"
        elif self._states() >= self.most or any(
            p.record.count + partition.BUFFER * self.threads >= self.capacity
            for p in self.partitions
        ):
            states = self.limits.max_states is not None and self._states() >= self.limits.max_states
            what = f"limit of {self.limits.max_states} states" if states else "memory limit"
            self.result.reason = f"the {what} was reached"

    def _is_in_vain(self) -> bool:
        """Return whether what is found does not count, or a large search will not."""
        hidden, watched = self.compiled.hidden, self.compiled.coverage.assumption(0)
        if hidden is not None and hidden.failed:
            return True
        large = self._states() > _WORTH_FINISHING
        return large and any(any(p.covered[watched:]) for p in self.partitions)

    def _finish(self, *, stop: bool) -> Exploration:
        result = self.result
        if result.reason == AGAIN and self._interruption.requested:
            # Ctrl-C has come since the last look at the limits: nothing is repeated now.
            result.reason = INTERRUPTED
        result.states, result.memory = self._states(), sum(p.memory for p in self.partitions)
        result.transitions = sum(p.record.transitions for p in self.partitions)
        result.seconds = time.monotonic() - self._started
        result.exhausted = not self._frontier() and not result.reason
        result.covered = bytes(map(max, zip(*(p.covered for p in self.partitions), strict=True)))
        totals = {
            name: sum(sum(p.totals[number::VERDICT_SPAN]) for p in self.partitions)
            for number, name in enumerate(VERDICTS)
        }
        result.violations = {name: n for name, n in totals.items() if n and name in VIOLATIONS}
        if totals[VERDICTS[NO_ROOM]] and not result.reason:
            result.reason, result.exhausted = FULL, False
            result.full = self._state_without_room()
        if result.reason != AGAIN:
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


def explore(
    native: Native,
    values: InitialValues,
    limits: Limits,
    threads: int = 1,
    *,
    stop: bool = True,
    goals: frozenset[str] = VIOLATIONS,
    progress: ProgressCallback | None = None,
) -> Exploration:
    """Explore from the initial values (see :meth:`Explorer.run`).

    Again for hidden maps that were not known, or without forgetting them: what is found before
    does not count.
    """
    hidden, started = native.compiled.hidden, time.monotonic()
    while True:
        explorer = Explorer(native.compiled, limits.after(started), threads)
        initial = initial_state(native, values)
        result = explorer.run(initial, stop=stop, goals=goals, progress=progress)
        if hidden is None or not hidden.failed:
            return result
        hidden.restart()
        result.found.clear()
        if result.limited:
            return result
