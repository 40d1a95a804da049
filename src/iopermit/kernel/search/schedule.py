"""Turns a path of renamed states into a schedule with fixed names, which can be executed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from iopermit.engine.errors import ScheduleError
from iopermit.system.execution import Action

if TYPE_CHECKING:
    from iopermit.kernel.search.tree_search import Found, TreeSearch
    from iopermit.kernel.state.state import State


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


def scheduled(saved: dict[str, Any]) -> Scheduled:
    """Return what `Scheduled.saved` saved.

    Raises:
        KeyError, TypeError, ValueError, AttributeError: it is damaged.
    """
    arguments = tuple((str(k), int(v)) for k, v in saved["arguments"].items())
    choices = tuple(int(choice) for choice in saved["choices"])
    return Scheduled(Action(int(saved["cpu"]), str(saved["event"]), arguments), choices)


def concrete_schedule(search: TreeSearch, found: Found) -> list[Scheduled]:
    """Return a schedule from the initial state along the path of a violation.

    Raises:
        ScheduleError: the path cannot be followed.
    """
    state = search.initial
    schedule = []
    for number, action in enumerate(found.actions):
        target = found.path[number + 1] if number + 1 < len(found.path) else None
        step, after = _step(search, state, action, target, found)
        schedule.append(step)
        if after is None:
            break
        state = after
    return schedule


def _step(
    search: TreeSearch, state: State, wanted: Action, target: State | None, found: Found
) -> tuple[Scheduled, State | None]:
    for action in search.rules.enabled(state):
        if action.event != wanted.event:
            continue
        for outcome in search.driver.execute(state, action):
            if target is None and outcome.crash is not None:
                if found.crash is not None and outcome.crash.is_same_as(found.crash):
                    return Scheduled(action, outcome.choices), None
            elif outcome.state is not None and search.canonical(outcome.state) == target:
                return Scheduled(action, outcome.choices), outcome.state
    message = f"no {wanted.event} leads from one state of the path to the next"
    raise ScheduleError(message)
