"""Replays a saved verdict: the schedule that was saved, executed again at full size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from iopermit.engine.errors import ReplayError
from iopermit.engine.verdict import SearchStatistics, Verdict
from iopermit.search.counterexample.recorder import concretions, record
from iopermit.system.crash import HeapExhaustedError
from iopermit.system.events import event_named
from iopermit.system.execution import Action
from iopermit.system.scenario import Scenario


def replay(saved: dict[str, Any]) -> Verdict:
    """Replay a saved verdict (parsed JSON of ``check --json``) and return what it shows now.

    Raises DesignError or UnknownDesignError if the design cannot be loaded any more, and
    ReplayError if the schedule no longer leads to the violation.
    """
    from iopermit.translate.frontend.load import load_design  # imports every design

    design = load_design(saved["design"]["name"], tuple(saved["design"]["options"]))
    bounds = saved["scenario"]
    events = frozenset(event_named(name) for name in bounds["events"])
    scenario = Scenario(
        bounds["cpus"],
        bounds["tasks"],
        bounds["longs"],
        events,
        garbage=bounds.get("garbage", True),
    )
    actions = [(_action(step), int(step["label"])) for step in saved["trace"]]
    wanted = saved["violation"]
    for concretion in concretions(design, scenario):
        try:
            result = record(design, scenario, actions, concretion)
        except (ValueError, StopIteration, HeapExhaustedError, KeyError, IndexError):
            continue
        if result.violation is not None and result.violation.message == wanted["message"]:
            figures = saved["search"]
            statistics = SearchStatistics(
                figures["states"], figures["transitions"], figures["depth"], figures["seconds"],
                figures["exhausted"], confirmed_full_size=True,
            )  # fmt: skip
            violation = replace(result.violation, needs_privilege=wanted.get("needs_privilege"))
            return Verdict(
                saved["subject"],
                scenario,
                "violated",
                "",
                violation,
                result.trace,
                statistics,
                design_file=saved["design"]["file"],
                options=tuple(saved["design"]["options"]),
                also=tuple(replay(other) for other in saved["also"]),
            )
    message = f"the schedule no longer shows: {wanted['message']}"
    raise ReplayError(message)


def _action(step: dict[str, Any]) -> Action:
    arguments = dict(step["arguments"])
    choice = arguments.pop("choice", None)
    return Action(step["cpu"], step["event"], tuple(arguments.items()), choice)
