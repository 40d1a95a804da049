"""Replays a saved verdict: the schedule that was saved, executed again at full size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from iopermit.engine.errors import ReplayError, UnrepeatedError
from iopermit.engine.trace import Replay
from iopermit.engine.verdict import SearchStatistics, Verdict
from iopermit.search.counterexample.livelock import continued
from iopermit.search.counterexample.recorder import concretions, record
from iopermit.system.crash import HeapExhaustedError
from iopermit.system.events import event_named
from iopermit.system.execution import Action
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.system.design import Design

_UNFIT: Final = (
    ValueError, StopIteration, HeapExhaustedError, KeyError, IndexError, UnrepeatedError,
)  # fmt: skip
"""What executing a schedule raises that does not fit the design, or one concretion of it."""


def replay(saved: dict[str, Any]) -> Verdict:
    """Replay a saved verdict (parsed JSON of ``check --json``) and return what it shows now.

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
    actions = [(_action(step), int(step["label"])) for step in trace]
    for concretion in concretions(design, scenario):
        try:
            result = record(design, scenario, actions, concretion)
            if result.violation is not None and result.violation.livelock:
                result = Replay(*continued(design, scenario, actions, concretion))
        except _UNFIT:
            continue
        if result.violation is not None and result.violation.message == message:
            return result
    raise ReplayError(f"the schedule no longer shows: {message}")


def _scenario(saved: dict[str, Any]) -> Scenario:
    events = frozenset(event_named(name) for name in saved["events"])
    bounds = (saved["cpus"], saved["tasks"], saved["longs"])
    return Scenario(*bounds, events, garbage=saved.get("garbage", True))


def _action(step: dict[str, Any]) -> Action:
    arguments = dict(step["arguments"])
    choice = arguments.pop("choice", None)
    return Action(step["cpu"], step["event"], tuple(arguments.items()), choice)
