"""A path of canonical representatives as a schedule with fixed names, to be executed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iopermit.engine.errors import ScheduleError
from iopermit.system.execution import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.kernel.cpu.crashes import Crash
    from iopermit.kernel.execution.scheduling_points import SchedulingPoints
    from iopermit.kernel.search.tree_search import TreeSearch, ViolationPath
    from iopermit.kernel.state.state import State
    from iopermit.system.specification import Finding


@dataclass(frozen=True)
class Scheduled:
    """An action with the results of its allocations: heap slots, or -1 for a failure."""

    action: Action
    choices: tuple[int, ...] = ()

    def saved(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "cpu": self.action.cpu,
            "event": self.action.event,
            "arguments": dict(self.action.arguments),
            "choices": list(self.choices),
        }

    @classmethod
    def from_saved(cls, saved: Mapping[str, Any]) -> Scheduled:
        """Return what `saved` returned.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is damaged.
        """
        arguments = tuple((str(k), int(v)) for k, v in saved["arguments"].items())
        choices = tuple(int(choice) for choice in saved["choices"])
        return cls(Action(int(saved["cpu"]), str(saved["event"]), arguments), choices)


@dataclass(frozen=True)
class TreeCounterexample:
    """A schedule that ends in a violation.

    Attributes:
        schedule: what to execute.
        points: the scheduling points at which its transitions end.
        finding: what the specification forbids in its last state, if that is the violation.
        crash: how its last transition crashes, if that is it.
    """

    schedule: tuple[Scheduled, ...]
    points: SchedulingPoints
    finding: Finding | None = None
    crash: Crash | None = None

    def is_shown_by(self, finding: Finding | None, crash: Crash | None) -> bool:
        """Return whether an execution shows this fault: its kind, task and ports, or its crash."""
        if self.crash is not None:
            return crash is not None and self.crash.is_same_as(crash)
        return finding is not None and finding == self.finding


def counterexample_of(search: TreeSearch) -> TreeCounterexample | None:
    """Return the counterexample that a search found, if it found one.

    Raises:
        ScheduleError: the path to the violation cannot be followed.
    """
    found = search.result.found
    if found is None:
        return None
    state, schedule = search.initial, []
    crash = None
    for number, action in enumerate(found.actions):
        target = found.path[number + 1] if number + 1 < len(found.path) else None
        scheduled, after, crash = _follow(search, state, action, target, found)
        schedule.append(scheduled)
        if after is not None:
            state = after
    finding = None if found.crash is not None else search.specification.finding(state)
    points = search.driver.kernel.executor.accesses.points
    return TreeCounterexample(tuple(schedule), points, finding, crash)


def _follow(
    search: TreeSearch, state: State, wanted: Action, target: State | None, found: ViolationPath
) -> tuple[Scheduled, State | None, Crash | None]:
    """Return what leads to a state that differs from `target` in names only, or to the crash."""
    for action in search.rules.enabled(state):
        if action.event != wanted.event:
            continue
        for outcome in search.driver.execute(state, action):
            if target is None and outcome.crash is not None:
                if found.crash is not None and outcome.crash.is_same_as(found.crash):
                    return Scheduled(action, outcome.choices), None, outcome.crash
            elif outcome.state is not None and search.canonical(outcome.state) == target:
                return Scheduled(action, outcome.choices), outcome.state, None
    message = f"no {wanted.event} leads from one state of the path to the next"
    raise ScheduleError(message)
