"""The reference mode: a search without any reduction, with which the usual one is compared.

Every access to memory is a scheduling point. Names of tasks, CPUs, heap objects and sequence
numbers stay what they are, nothing is remembered of a transition, and a state has every register
and the whole stack of a stopped context. So the number of states has no bound, and that of events
gets one. It shares with the usual search what executes code and what judges a state, and no more.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.engine.control import Control
from iopermit.engine.ending import Doubt, Ending, HeapLimit
from iopermit.engine.progress import Progress
from iopermit.engine.result import SearchResult
from iopermit.kernel.cpu.refused import refused
from iopermit.kernel.execution.boot import bring_up
from iopermit.kernel.execution.host.services import HeapExhausted
from iopermit.kernel.execution.scheduling_points import SchedulingPoints
from iopermit.kernel.search.counterexample import Scheduled, TreeCounterexample
from iopermit.kernel.search.limits import ending_of
from iopermit.kernel.search.rules import Rules
from iopermit.kernel.search.specification import SpecificationCheck
from iopermit.kernel.state.xen import UnknownMap
from iopermit.system.execution import CONTINUE, Action

if TYPE_CHECKING:
    from iopermit.kernel.cpu.crashes import Crash
    from iopermit.kernel.execution.driver import Outcome
    from iopermit.kernel.image.linker import Image
    from iopermit.kernel.state.state import State
    from iopermit.system.scenario import Scenario
    from iopermit.system.specification import Finding

_LOOK_AT_CLOCK: Final = 64
"""States to go on from between two looks at the clock."""
_BYTES: Final = 1000
"""What a state with the way to it takes, roughly."""


@dataclass(frozen=True)
class DepthLimit(Ending):
    """As many events as were allowed on the way to a state."""

    events: int

    @property
    def reason(self) -> str:
        """Why the search ended."""
        events = "event" if self.events == 1 else "events"
        return f"what more than {self.events} {events} lead to was not searched"


@dataclass(frozen=True)
class Link:
    """How a state was reached: from which other one, and by what.

    Attributes:
        parent: the state before it.
        scheduled: the action.
        whole: whether the action was executed to its end, since nothing could come in between.
    """

    parent: State
    scheduled: Scheduled
    whole: bool


class ReferenceSearch:
    """Searches the states that are reached by so many events, those by fewer events first."""

    def __init__(
        self, image: Image, scenario: Scenario, depth: int, control: Control | None = None
    ) -> None:
        """Bring up a machine with a tree's code.

        Args:
            image: the code.
            scenario: how many CPUs and tasks there are, and which events.
            depth: how many events can happen: everything but going on with what a CPU executes.
            control: says where the search gives up.
        """
        self.driver, self.initial = bring_up(image, scenario, every_access=True)
        self.scenario, self.depth, self.control = scenario, depth, control or Control()
        self.rules = Rules(self.driver.kernel, scenario)
        self.specification = SpecificationCheck(self.driver.kernel)
        self.result = SearchResult()
        self.counterexample: TreeCounterexample | None = None
        self.possible: set[str] = set()
        """The events that were possible in some state."""
        self._links: dict[State, Link | None] = {}
        self._expanded = 0
        """States from which the search went on."""
        self._started = time.monotonic()

    def run(self) -> SearchResult:
        """Search until a violation, the end, or a limit."""
        try:
            self._search()
        except HeapExhausted:
            self.result.ending = HeapLimit(self.driver.kernel.memory.heap)
        except UnknownMap as doubt:
            self.result.ending = Doubt(str(doubt))
        self.result.seconds = time.monotonic() - self._started
        if self.counterexample is None and self.result.ending is None:
            kernel = self.driver.kernel
            executed = kernel.executor.executed
            why = kernel.why_torn() or refused(kernel.emulator.image, executed)
            self.result.ending = Doubt(why) if why else None
        return self.result

    def _search(self) -> None:
        waiting = deque([self.initial])
        self._links[self.initial] = None
        self.result.states = 1
        while waiting and self.result.ending is None:
            following: deque[State] = deque()
            self._search_level(waiting, following)
            if self.counterexample is not None:
                return
            waiting = following
            self.result.depth += 1

    def _search_level(self, waiting: deque[State], following: deque[State]) -> None:
        """Go on from states with what is executed there; add those after one more event."""
        while waiting:
            state = waiting.popleft()
            for action in self.rules.enabled(state):
                self.possible.add(action.event)
                if not action.is_step and self.result.depth == self.depth:
                    self.result.ending = DepthLimit(self.depth)
                elif self._expand(state, action, waiting if action.is_step else following):
                    return
            self._expanded += 1
            looks = self._expanded % _LOOK_AT_CLOCK == 0
            if looks and self._limit_reached(waiting, following):
                return

    def _expand(self, state: State, action: Action, found: deque[State]) -> bool:
        """Add what an action leads to; return whether a violation was found."""
        whole = self.scenario.cpus == 1 and self.result.depth == self.depth
        self._stop_at_accesses(wanted=not whole)
        for outcome in self.driver.execute(state, action):
            self.result.transitions += 1
            link = Link(state, Scheduled(action, outcome.choices), whole)
            if outcome.state is None or outcome.state not in self._links:
                if self._is_wrong(outcome):
                    self._report(link)
                    return True
                if outcome.state is not None:
                    self._links[outcome.state] = link
                    self.result.states += 1
                    found.append(outcome.state)
        return False

    def _stop_at_accesses(self, *, wanted: bool) -> None:
        self.driver.kernel.executor.watch(SchedulingPoints(every_access=wanted))

    def _is_wrong(self, outcome: Outcome) -> bool:
        """Return whether an outcome is a violation, at which the search ends."""
        return outcome.state is None or self.specification.finding(outcome.state) is not None

    def _limit_reached(self, waiting: deque[State], following: deque[State]) -> bool:
        result = self.result
        result.seconds = time.monotonic() - self._started
        result.memory = result.states * _BYTES
        figures = (result.states, result.depth, len(waiting) + len(following), result.transitions)
        self.control.report(Progress(*figures, result.seconds, result.memory))
        ending = ending_of(self.control, result)
        result.ending = ending or result.ending
        return ending is not None

    # The schedule of a violation.

    def _report(self, last: Link) -> None:
        links = [last]
        while (link := self._links[links[-1].parent]) is not None:
            links.append(link)
        self._stop_at_accesses(wanted=True)
        schedule: list[Scheduled] = []
        finding: Finding | None = None
        crash: Crash | None = None
        for link in reversed(links):
            for scheduled, outcome in self._in_pieces(link):
                schedule.append(scheduled)
                crash = outcome.crash
                finding = outcome.state and self.specification.finding(outcome.state)
                if finding is not None:
                    break
        points = self.driver.kernel.executor.accesses.points
        self.result.ending = None
        self.counterexample = TreeCounterexample(tuple(schedule), points, finding, crash)

    def _in_pieces(self, link: Link) -> list[tuple[Scheduled, Outcome]]:
        """Return the transitions between two states: several if it was executed to its end."""
        state, action, left = link.parent, link.scheduled.action, link.scheduled.choices
        pieces: list[tuple[Scheduled, Outcome]] = []
        while True:
            outcome, options = self.driver.execute_once(state, action, left)
            pieces.append((Scheduled(action, outcome.choices), outcome))
            left = left[len(options) :]
            if not link.whole or outcome.state is None or outcome.result is not None:
                return pieces
            state, action = outcome.state, Action(action.cpu, CONTINUE)
