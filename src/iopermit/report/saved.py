"""Reads back what :mod:`iopermit.report.json` saved, as far as a replay needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from iopermit.report.json import SCHEMA
from iopermit.system.events import all_events
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping

_MEMBERS: Final[Mapping[tuple[str, ...], type]] = {
    ("design", "name"): str,
    ("design", "options"): list,
    ("scenario", "cpus"): int,
    ("scenario", "tasks"): int,
    ("scenario", "longs"): int,
    ("scenario", "events"): list,
    ("verdict",): str,
    ("subject",): str,
    ("design", "file"): str,
    ("search", "states"): int,
    ("search", "transitions"): int,
    ("search", "depth"): int,
    ("search", "seconds"): float,
    ("search", "exhausted"): bool,
}
_VIOLATED: Final[Mapping[tuple[str, ...], type]] = {
    ("violation", "kind"): str,
    ("violation", "message"): str,
    ("trace",): list,
}
_STEP: Final[Mapping[tuple[str, ...], type]] = {
    ("cpu",): int,
    ("event",): str,
    ("arguments",): dict,
    ("label",): int,
}

_JSON_NAMES: Final = {
    str: "a string",
    list: "a list",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "an object",
}


def problem_of(saved: object) -> str:
    """Return what keeps a saved verdict from being replayed, or an empty string."""
    if not isinstance(saved, dict) or saved.get("schema") != SCHEMA:
        return f"it is not a verdict of schema {SCHEMA}"
    problem = _wrong_member(saved, _MEMBERS, "")
    if problem:
        return problem
    if saved["verdict"] != "violated":
        return f"there is nothing to replay: the verdict is {saved['verdict']!r}"
    problem = _wrong_member(saved, _VIOLATED, "") or _wrong_scenario(saved["scenario"])
    steps = enumerate(saved["trace"]) if not problem else []
    problems = (_wrong_member(step, _STEP, f"trace[{number}].") for number, step in steps)
    return problem or next(filter(None, problems), "")


def _wrong_member(value: object, members: Mapping[tuple[str, ...], type], prefix: str) -> str:
    for path, wanted in members.items():
        found: Any = value
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if type(found) is not wanted and not (wanted is float and type(found) is int):
            return f"{prefix}{'.'.join(path)} should be {_JSON_NAMES[wanted]}"
    return ""


def _wrong_scenario(scenario: dict[str, Any]) -> str:
    known = {event.name for event in all_events()}
    unknown = [name for name in scenario["events"] if name not in known]
    if unknown:
        return f"scenario.events has {unknown[0]!r}, which is no event"
    try:
        Scenario(scenario["cpus"], scenario["tasks"], scenario["longs"])
    except ValueError as error:
        return str(error)
    return ""
