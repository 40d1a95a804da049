"""Replays a saved verdict: the schedule that was saved, executed again at full size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from iopermit.engine.errors import ReplayError, UnrepeatedError
from iopermit.engine.trace import Replay
from iopermit.engine.verdict import SearchStatistics, Verdict
from iopermit.search.counterexample.livelock import continued
from iopermit.search.counterexample.recorder import TraceRecorder, concretions
from iopermit.system.crash import HeapExhaustedError
from iopermit.system.events import event_named
from iopermit.system.events.rules import enabled
from iopermit.system.execution import Action
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.system.concretion import Concretion
    from iopermit.system.design import Design
    from iopermit.system.simulation import System


def replay(saved: dict[str, Any]) -> Verdict:
    """Replay a saved verdict (parsed JSON of ``check --json``) and return what it shows now.

    Its members are of the right types already (`iopermit.report.saved`). Only steps that are
    possible where they stand are executed: a schedule is no proof of a violation otherwise.

    Raises DesignError or UnknownDesignError if the design cannot be loaded any more, and
    ReplayError if the schedule no longer leads to the violation.
    """
    from iopermit.translate.frontend.load import load_design  # imports every design

    design = load_design(saved["design"]["name"], tuple(saved["design"]["options"]))
    scenario, wanted = _scenario(saved["scenario"]), saved["violation"]
    found = _executed(design, scenario, saved["trace"], wanted["message"])
    assert found.violation is not None  # what was looked for
    return Verdict(
        saved["subject"],
        scenario,
        "violated",
        "",
        replace(found.violation, needs_privilege=wanted.get("needs_privilege")),
        found.trace,
        SearchStatistics.of_saved(saved["search"]),
        design_file=saved["design"]["file"],
        options=tuple(saved["design"]["options"]),
        also=tuple(replay(other) for other in saved["also"]),
    )


def _executed(
    design: type[Design], scenario: Scenario, trace: list[dict[str, Any]], message: str
) -> Replay:
    """Execute a saved schedule and require its violation, with the ports that were named."""
    actions = [(_action(step), step["label"]) for step in trace]
    problem = f"the schedule no longer shows: {message}"
    for concretion in concretions(design, scenario):
        try:
            result = _record(design, scenario, actions, concretion)
            if result.violation is not None and result.violation.livelock:
                result = Replay(*continued(design, scenario, actions, concretion))
        except HeapExhaustedError:
            continue
        except UnrepeatedError as error:
            problem = f"the schedule no longer shows: {message}: {error}"
            continue
        except ReplayError as error:
            problem = str(error)
            continue
        if result.violation is not None and result.violation.message == message:
            return result
    raise ReplayError(problem)


def _record(
    design: type[Design],
    scenario: Scenario,
    actions: list[tuple[Action, int]],
    concretion: Concretion,
) -> Replay:
    """Execute a schedule up to the first violation. Raises ReplayError for an impossible step."""
    recorder = TraceRecorder(design, scenario, concretion)
    recorder.check(None)
    for number, (action, label) in enumerate(actions):
        if recorder.violation is not None:
            break
        if not _is_possible(action, recorder.system):
            raise ReplayError(f"trace[{number}] is not possible there")
        recorder.apply(action, label)
    return Replay(tuple(recorder.trace), recorder.violation or recorder.row)


def _is_possible(action: Action, system: System) -> bool:
    """Return whether an action can happen now; which free slot an allocation gets is left open."""
    alike = [
        one
        for one in enabled(system)
        if (one.cpu, one.event, dict(one.arguments))
        == (action.cpu, action.event, dict(action.arguments))
        and (one.choice is None) == (action.choice is None)
    ]
    return bool(alike) and (action.choice is None or 0 <= action.choice <= system.heap_slots)


def _scenario(saved: dict[str, Any]) -> Scenario:
    events = frozenset(event_named(name) for name in saved["events"])
    bounds = (saved["cpus"], saved["tasks"], saved["longs"])
    return Scenario(*bounds, events, garbage=saved.get("garbage", True))


def _action(step: dict[str, Any]) -> Action:
    arguments = dict(step["arguments"])
    choice = arguments.pop("choice", None)
    return Action(step["cpu"], step["event"], tuple(arguments.items()), choice)
