"""Searches for the shortest way from where a person is to a violation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.engine.control import Control
from iopermit.engine.ending import Interrupted
from iopermit.engine.errors import ScheduleError
from iopermit.engine.limits import Limits
from iopermit.report.words import step_text
from iopermit.search.compilation import Translated
from iopermit.search.counterexample.path import schedule_along
from iopermit.search.counterexample.recorder import TraceRecorder, concretions
from iopermit.search.problem import Problem, Settings
from iopermit.search.refinement import searched
from iopermit.system.crash import HeapExhaustedError
from iopermit.system.execution import Action
from iopermit.translate.analyses.reductions import HIDDEN_MAPS, LATE_ARGUMENTS, Reductions
from iopermit.translate.model.nodes import VIOLATIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.trace import TraceStep, Violation
    from iopermit.explore.session import Session

LIMITS: Final = Limits(3_000_000, None, 20.0)
"""Where a search gives up: a person waits for it."""

_GOALS: Final = VIOLATIONS - {"livelock"}
"""A row of refusals would have to be continued to be one."""

_ON: Final = Reductions().without(LATE_ARGUMENTS, HIDDEN_MAPS)
"""Both change what a state stands for in the middle of a call, where a person may well be."""


@dataclass(frozen=True)
class Way:
    """What a search from the present state found."""

    begins: int
    """The atomic steps of the schedule when it was searched."""
    actions: tuple[Action, ...] = ()
    """The atomic steps to the violation; none if no violation was found."""
    violation: Violation | None = None
    events: tuple[str, ...] = ()
    """The events on the way, as reports tell them, each with its CPU and task."""
    reason: str = ""
    """Without a violation: why nothing is said; empty if none can be reached."""
    states: int = 0


def nearest(session: Session, limits: Limits = LIMITS) -> Way:
    """Return the shortest way from where a session is to a violation, confirmed at full size.

    Raises:
        KeyboardInterrupt: a signal ended the search.
    """
    native, begins = session.native, len(session.schedule)
    state = session.states[-1]
    problem = Problem(
        session.design, session.scenario, Settings(_ON), Control(limits), goals=_GOALS
    )
    values = native.compiled.packing.values(native.unpack(state))
    found = searched(Translated(problem, session.source.model, values))
    if isinstance(found.result.ending, Interrupted):
        raise KeyboardInterrupt
    states = found.result.states
    if not found.result.found:
        ending = found.result.ending
        return Way(begins, reason="" if ending is None else ending.reason, states=states)
    (_, path), *_ = found.result.shortest_first()
    try:
        schedule, _ = schedule_along(path, found.functions, native, state)
        recorder = _executed(session, [(one.action, one.label) for one in schedule])
    except (ScheduleError, HeapExhaustedError):
        recorder = None
    if recorder is None or recorder.violation is None:
        return Way(begins, reason="what was found does not show at full size", states=states)
    steps = recorder.trace[begins:]
    events = tuple(
        f"CPU {step.cpu}, {step.who}: {step_text(step)}" for step in steps if step.is_event
    )
    actions = tuple(map(_action, steps))
    return Way(begins, actions, recorder.violation, events, states=states)


def _executed(session: Session, more: Sequence[tuple[Action, int]]) -> TraceRecorder:
    """Execute the schedule of a session, and what follows it, from the beginning."""
    _, exact = concretions(session.design, session.scenario)
    recorder = TraceRecorder(session.design, session.scenario, exact)
    recorder.check(None)
    cpu = 0
    for action, label in (*session.schedule, *more):
        if recorder.violation is not None:
            break
        recorder.apply(action, label)
        cpu = action.cpu
    # Lost memory is seen when the function that holds the pointer returns.
    recorder.finish(cpu)
    return recorder


def _action(step: TraceStep) -> Action:
    arguments = dict(step.arguments)
    choice = arguments.pop("choice", None)
    return Action(step.cpu, step.event, tuple(arguments.items()), choice)
