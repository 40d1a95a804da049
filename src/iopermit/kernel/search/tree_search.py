"""Breadth-first search over the states of the emulated kernel."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.engine.control import Control
from iopermit.engine.ending import Doubt, HeapLimit
from iopermit.engine.progress import Progress
from iopermit.engine.result import SearchResult
from iopermit.kernel.cpu.refused import refused
from iopermit.kernel.execution.boot import bring_up
from iopermit.kernel.execution.host.services import HeapExhausted
from iopermit.kernel.search.checked_driver import (
    CheckedDriver,
    NamesMatter,
    OrderedSequenceNumbers,
)
from iopermit.kernel.search.limits import ending_of
from iopermit.kernel.search.rules import Move, Rules
from iopermit.kernel.search.specification import SpecificationCheck
from iopermit.kernel.search.transition_cache import TransitionCache
from iopermit.kernel.search.visited import Packed, VisitedSet
from iopermit.kernel.state.canonical import Canonical
from iopermit.kernel.state.xen import UnknownMap
from iopermit.system.events import Event
from iopermit.system.specification import Finding

if TYPE_CHECKING:
    from iopermit.kernel.cpu.crashes import Crash
    from iopermit.kernel.image.linker import Image
    from iopermit.kernel.search.faults import FaultsOfTree, Wrong
    from iopermit.kernel.search.view import View
    from iopermit.kernel.state.state import State
    from iopermit.system.execution import Action
    from iopermit.system.scenario import Scenario

_LOOK_AT_CLOCK: Final = 256
"""States between two looks at the clock."""

_BYTES: Final = 400
"""What a state with its parent link takes, roughly."""


@dataclass
class ViolationPath:
    """A violation: the states on the way to it, and the actions between them."""

    path: list[State]
    actions: list[Action]
    finding: Finding | None
    crash: Crash | None


@dataclass
class TreeSearchResult(SearchResult):
    """What the search of a tree ends with."""

    executed: int = 0
    """Transitions that were executed, and not looked up."""
    found: ViolationPath | None = None


class TreeSearch:
    """Searches the states of one scenario."""

    def __init__(
        self,
        image: Image,
        scenario: Scenario,
        control: Control | None = None,
        faults: FaultsOfTree | None = None,
    ) -> None:
        """Bring up two machines with a tree's code.

        Args:
            image: the code.
            scenario: what to search.
            control: where the search gives up.
            faults: those that end no search, and takes note of what is met; by default none does.
        """
        driver, self.initial = bring_up(image, scenario)
        other, _ = bring_up(image, scenario)
        self.driver, self.scenario = driver, scenario
        self.control, self.faults = control or Control(), faults
        self.rules = Rules(driver.kernel, scenario)
        self.canonical = Canonical(symmetric_cpus=scenario.has(Event.MIGRATE))
        self._checked = CheckedDriver(driver, other, self.canonical)
        self.cache = TransitionCache(self._checked)
        self.specification = SpecificationCheck(driver.kernel)
        self.result = TreeSearchResult()
        self._started = time.monotonic()
        self._visited = VisitedSet()
        self._with_maps = False

    @property
    def possible(self) -> set[str]:
        """The events that were possible in some state."""
        return {move.action.event for move in self.rules.known_moves()}

    def run(self) -> TreeSearchResult:
        """Search until a violation, the end, or a limit."""
        collecting = gc.isenabled()
        # States form no cycles, and looking for some among millions of tuples takes long.
        gc.disable()
        try:
            while not self._search_once() or self._more_points():
                self.cache.clear()
        except HeapExhausted:
            self.result.ending = HeapLimit(self.driver.kernel.memory.heap)
        except (NamesMatter, UnknownMap) as doubt:
            self.result.ending = Doubt(str(doubt))
        finally:
            if collecting:
                gc.enable()
        self.result.seconds = time.monotonic() - self._started
        self.result.executed = self._checked.executed
        self._state_doubts()
        return self.result

    def _state_doubts(self) -> None:
        """Give no verdict if a search to the end cannot tell that nothing is wrong."""
        if self.result.found is not None or self.result.ending is not None:
            return
        seen, kernel = self._checked.executor.accesses.seen, self._checked.kernel
        why = ""
        if seen.counter_stored:
            why = (
                f"{kernel.name_of(seen.counter_stored)} changes the counter of sequence numbers "
                "otherwise than by one atomic instruction, so that two maps may get the same number"
            )
        else:
            executed = self._checked.executor.executed
            why = kernel.why_torn() or refused(kernel.emulator.image, executed)
        self.result.ending = Doubt(why) if why else None

    def _search_once(self) -> bool:
        """Search; if the tree orders sequence numbers, go on with names that keep the order."""
        try:
            return self._search()
        except OrderedSequenceNumbers:
            self._order_numbers()
            return False

    def _order_numbers(self) -> None:
        """Let names keep the order of sequence numbers; which context takes one first matters."""
        self.canonical.ordered = True
        self._checked.executor.accesses.note_counter()
        self._watch_more()

    def _hold_counter(self) -> None:
        """Treat the counter as any other memory, whose value kernel code looks at."""
        self.canonical.counter_held = True
        self.cache.by_states = True
        self._order_numbers()

    def _search(self) -> bool:
        """Search with the points known now; return whether no further ones were seen."""
        result = self.result
        first = self.canonical(self.initial)
        frontier = [(first, self._visited.begin(first))]
        result.states, result.transitions, result.depth = 1, 0, 0
        executed = -1
        while frontier:
            result.depth += 1
            following: list[tuple[State, Packed]] = []
            for number, (state, name) in enumerate(frontier):
                if not self._expand(state, name, following):
                    return True
                if self._checked.executed != executed:
                    executed = self._checked.executed
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
        executor = self._checked.executor
        if executor.accesses.seen.counter_plain and not self.canonical.counter_held:
            self._hold_counter()
            return True
        points, header = executor.accesses.seen.points(), executor.header
        if not self._with_maps:
            points = points.without_maps(header)
        if points == executor.accesses.points:
            return False
        self._checked.watch(points)
        return True

    def _more_points(self) -> bool:
        """Return whether to search again with the points inside maps."""
        if self.result.found is not None or self.result.ending is not None or self._with_maps:
            return False
        self._with_maps = True
        return self._watch_more()

    def _expand(self, state: State, name: Packed, following: list[tuple[State, Packed]]) -> bool:
        """Add a state's successors; return whether the search goes on."""
        views: dict[object, View] = {}
        result, canonical = self.result, self.canonical
        add, finding = self._visited.add, self.specification.finding
        for move in self.rules.moves(state):
            for successor in self.cache.successors(state, move, views):
                result.transitions += 1
                if successor.state is None:
                    crash = successor.crash
                    assert crash is not None  # else there is a state
                    if self._is_passed(name, state, crash, move.action):
                        continue
                    return False
                target = canonical(successor.state)
                packed = add(target, name, move)
                if packed is None:
                    continue
                result.states += 1
                wrong = finding(target)
                if wrong is None:
                    following.append((target, packed))
                elif not self._is_passed(packed, target, wrong):
                    return False
        return True

    def _is_passed(self, name: Packed, state: State, wrong: Wrong, *last: Action) -> bool:
        """Report a violation; return whether the search goes on with other schedules.

        Args:
            name: the state that violates, or the last one before a crash.
            state: the same.
            wrong: what is wrong in the state, or the crash.
            last: the action that crashes.
        """
        way = self._visited.path(name)
        actions = [*(move.action for _, move in way), *last]
        if self.faults is not None and self.faults.is_passed(
            self.faults.fault(wrong, self.driver.kernel, state, actions)
        ):
            return True
        finding, crash = (wrong, None) if isinstance(wrong, Finding) else (None, wrong)
        self.result.found = ViolationPath(self._follow(way), actions, finding, crash)
        return False

    def _follow(self, way: list[tuple[Packed, Move]]) -> list[State]:
        """Return the states of a way from the initial one on."""
        path = [self.canonical(self.initial)]
        for name, move in way:
            successors = self.cache.successors(path[-1], move, {})
            targets = (self.canonical(s.state) for s in successors if s.state is not None)
            path.append(next(t for t in targets if self._visited.pack(t) == name))
        return path

    def _limit_reached(self, frontier: int) -> bool:
        result = self.result
        result.seconds = time.monotonic() - self._started
        result.memory = result.states * _BYTES
        figures = (result.states, result.depth, frontier, result.transitions)
        self.control.report(Progress(*figures, result.seconds, result.memory))
        result.ending = ending_of(self.control, result)
        return result.ending is not None
