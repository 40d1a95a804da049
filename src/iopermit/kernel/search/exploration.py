"""Breadth-first search over the states of the emulated kernel."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.kernel.execution.contexts import HeapExhausted
from iopermit.kernel.search.rules import Move, Rules
from iopermit.kernel.search.specification import Finding, Judge
from iopermit.kernel.search.transition_cache import Memo, OrderedSequenceNumbers, Step, View
from iopermit.kernel.state.canonical import Canonical
from iopermit.system.scenario import Event, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.kernel.execution.crashes import Crash
    from iopermit.kernel.execution.driver import Driver
    from iopermit.kernel.state.contents import Component
    from iopermit.kernel.state.state import State
    from iopermit.system.execution import Action

_LOOK_AT_CLOCK: Final = 256
"""States between two looks at the clock."""

_BYTES: Final = 400
"""What a state with its parent link takes, roughly."""

Packed = tuple[int, ...]


@dataclass(frozen=True)
class Bounds:
    """When to give up."""

    max_states: int | None = None
    timeout: float | None = None


@dataclass
class Found:
    """A violation: the states on the way to it, and the actions between them."""

    path: list[State]
    actions: list[Action]
    finding: Finding | None
    crash: Crash | None


@dataclass
class Exploration:
    """What a search ends with."""

    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    executed: int = 0
    restarts: int = 0
    memory: int = 0
    """Bytes that the states take, roughly."""
    limit: str = ""
    """Which limit was reached, if one was."""
    found: Found | None = None


class _Store:
    """States seen, as tuples of numbers of components."""

    def __init__(self) -> None:
        self._numbers: dict[Component | None, int] = {}
        self._components: list[Component | None] = []

    def pack(self, state: State) -> Packed:
        """Return a state as numbers."""
        numbers, components = self._numbers, self._components
        packed = []
        for component in (*state.cpus, *state.tasks, *state.heap):
            number = numbers.get(component)
            if number is None:
                number = numbers[component] = len(components)
                components.append(component)
            packed.append(number)
        # The global data is the same in equal states but for the counter, which is determined.
        packed.append(state.data[0])
        return tuple(packed)


class Explorer:
    """Searches the states of one scenario."""

    def __init__(
        self,
        driver: Driver,
        initial: State,
        scenario: Scenario,
        *,
        bounds: Bounds = Bounds(),
        progress: Callable[[Exploration, int], None] | None = None,
    ) -> None:
        """Search from `initial`; `progress` gets the figures and the size of the frontier."""
        self.driver, self.initial, self.scenario = driver, initial, scenario
        self.bounds, self.progress = bounds, progress
        self.rules, self.memo, self.judge = Rules(driver, scenario), Memo(driver), Judge(driver)
        self.canonical = Canonical(symmetric_cpus=scenario.has(Event.MIGRATE))
        self.result = Exploration()
        self._started = time.monotonic()
        self._parents: dict[Packed, tuple[Packed, Move] | None] = {}
        self._store = _Store()
        self._with_maps = False

    def run(self) -> Exploration:
        """Search until a violation, the end, or a limit."""
        collecting = gc.isenabled()
        # States form no cycles, and looking for some among millions of tuples takes long.
        gc.disable()
        try:
            while not self._search_once() or self._more_points():
                self.result.restarts += 1
                self.memo.clear()
        except HeapExhausted:
            self.result.limit = f"more than {self.driver.memory.heap} heap objects are alive"
        finally:
            if collecting:
                gc.enable()
        self.result.seconds = time.monotonic() - self._started
        self.result.executed = self.memo.executed
        return self.result

    def _search_once(self) -> bool:
        """Search; if the tree orders sequence numbers, go on with names that keep the order."""
        try:
            return self._search()
        except OrderedSequenceNumbers:
            self.memo.ordered = self.canonical.ordered = True
            # Which context takes a number first matters then.
            self.driver.contexts.accesses.counter = None
            return False

    def _search(self) -> bool:
        """Search with the points known now; return whether no further ones were seen."""
        result = self.result
        first = self.canonical(self.initial)
        packed = self._store.pack(first)
        self._parents = {packed: None}
        frontier = [(first, packed)]
        result.states, result.transitions, result.depth = 1, 0, 0
        executed = -1
        while frontier:
            result.depth += 1
            following: list[tuple[State, Packed]] = []
            for number, (state, name) in enumerate(frontier):
                if not self._expand(state, name, following):
                    return True
                if self.memo.executed != executed:
                    executed = self.memo.executed
                    if self._watch_more():
                        return False
                if number % _LOOK_AT_CLOCK == 0 and self._limit_reached(len(frontier)):
                    return True
            frontier = following
        result.depth -= 1
        return True

    def _watch_more(self) -> bool:
        """Use points that were seen since; return whether there are any.

        Those inside maps wait until a search has found no violation without them: they are many,
        and only code that is wrong already writes into a map that it shares.
        """
        contexts = self.driver.contexts
        points, header = contexts.accesses.seen.points(), contexts.header
        if not self._with_maps:
            points = points.without_maps(header)
        if points == contexts.accesses.points:
            return False
        contexts.watch(points)
        return True

    def _more_points(self) -> bool:
        """Return whether to search again with the points inside maps."""
        if self.result.found is not None or self.result.limit or self._with_maps:
            return False
        self._with_maps = True
        return self._watch_more()

    def _expand(self, state: State, name: Packed, following: list[tuple[State, Packed]]) -> bool:
        """Add a state's successors; return whether the search goes on."""
        views: dict[object, View] = {}
        result, parents, canonical = self.result, self._parents, self.canonical
        pack, finding = self._store.pack, self.judge.finding
        for move in self.rules.moves(state):
            for step in self.memo.steps(state, move, views):
                result.transitions += 1
                if step.state is None:
                    self._report(name, move, None, step)
                    return False
                target = canonical(step.state)
                packed = pack(target)
                if packed in parents:
                    continue
                parents[packed] = (name, move)
                result.states += 1
                following.append((target, packed))
                wrong = finding(target)
                if wrong is not None:
                    self._report(packed, None, wrong, step)
                    return False
        return True

    def _report(self, name: Packed, last: Move | None, finding: Finding | None, step: Step) -> None:
        moves = [] if last is None else [last.action]
        names = [name]
        while (link := self._parents[names[-1]]) is not None:
            names.append(link[0])
            moves.append(link[1].action)
        names.reverse()
        moves.reverse()
        path = self._follow(names)
        self.result.found = Found(path, moves, finding, step.crash)

    def _follow(self, names: list[Packed]) -> list[State]:
        """Return the states that have these names, from the initial one on."""
        path = [self.canonical(self.initial)]
        for name in names[1:]:
            link = self._parents[name]
            assert link is not None  # noqa: S101 - only the first state has no parent
            steps = self.memo.steps(path[-1], link[1], {})
            targets = (self.canonical(s.state) for s in steps if s.state is not None)
            path.append(next(t for t in targets if self._store.pack(t) == name))
        return path

    def _limit_reached(self, frontier: int) -> bool:
        result, bounds = self.result, self.bounds
        result.seconds = time.monotonic() - self._started
        result.memory = result.states * _BYTES
        if self.progress is not None:
            self.progress(result, frontier)
        if bounds.max_states is not None and result.states > bounds.max_states:
            result.limit = f"the limit of {bounds.max_states:,} states was reached"
        elif bounds.timeout is not None and result.seconds > bounds.timeout:
            result.limit = f"the limit of {bounds.timeout:g} s was reached"
        return bool(result.limit)
