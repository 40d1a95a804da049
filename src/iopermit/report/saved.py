"""Reads back what :mod:`iopermit.report.json` saved, as far as a replay needs it."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

from iopermit.report.json import SCHEMA
from iopermit.system.events import all_events
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class _Kind(NamedTuple):
    """A kind of values: what messages call it, and how to recognise one."""

    name: str
    has: Callable[[object], bool]


_Shape: TypeAlias = "_Kind | list[_Shape] | Mapping[str, _Shape]"
"""What a value should be: of a kind, a list of equal shapes, or an object with certain members."""

MOST_STEPS: Final = 10_000
"""Steps of a schedule that can be replayed; a search finds shortest ones, of a few hundred."""
_LARGEST: Final = (1 << 63) - 1


def _is_number(value: object) -> bool:
    return type(value) is int and abs(value) <= _LARGEST


def _is_object_of_numbers(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


def _is_file_name(value: object) -> bool:
    try:
        return isinstance(value, str) and b"\0" not in os.fsencode(value)
    except UnicodeEncodeError:
        return False


_TEXT: Final = _Kind("a string", lambda value: isinstance(value, str))
_FILE: Final = _Kind("the name of a file", _is_file_name)
_NUMBER: Final = _Kind("a whole number", _is_number)
_SECONDS: Final = _Kind(
    "a number", lambda value: _is_number(value) or (type(value) is float and math.isfinite(value))
)
_FLAG: Final = _Kind("true or false", lambda value: isinstance(value, bool))
_FLAG_OR_NOTHING: Final = _Kind(
    "true, false or null", lambda value: value is None or isinstance(value, bool)
)
_ARGUMENTS: Final = _Kind("an object with whole numbers", _is_object_of_numbers)
_LIST: Final = _Kind("a list", lambda value: isinstance(value, list))

_VERDICT: Final[_Shape] = {
    "design": {"name": _FILE, "options": [_TEXT], "file": _FILE},
    "scenario": {
        "cpus": _NUMBER,
        "tasks": _NUMBER,
        "longs": _NUMBER,
        "events": [_TEXT],
    },
    "verdict": _TEXT,
    "subject": _TEXT,
    "search": {
        "states": _NUMBER,
        "transitions": _NUMBER,
        "depth": _NUMBER,
        "seconds": _SECONDS,
        "exhausted": _FLAG,
    },
}
_VIOLATED: Final[_Shape] = {
    "violation": {"kind": _TEXT, "message": _TEXT, "needs_privilege": _FLAG_OR_NOTHING},
    "trace": [{"cpu": _NUMBER, "event": _TEXT, "arguments": _ARGUMENTS, "label": _NUMBER}],
    "also": _LIST,
}
_KERNEL: Final[_Shape] = {
    "tree": _FILE,
    "patches": [_FILE],
    "key": _TEXT,
    "bounds": [_TEXT],
    "schedule": [{"cpu": _NUMBER, "event": _TEXT, "arguments": _ARGUMENTS, "choices": [_NUMBER]}],
    "points": {
        **{key: [_NUMBER] for key in ("task_reads", "task_writes", "shared", "data", "remote")},
        "tss_bitmap": _FLAG,
        "interrupts": _FLAG,
    },
}


def problem_of(saved: object) -> str:
    """Return what keeps a saved verdict from being replayed, or an empty string."""
    problem = _problem_of_one(saved)
    if problem or not isinstance(saved, dict):
        return problem
    for number, other in enumerate(saved["also"]):
        place = f"also[{number}]"
        problem = _problem_of_one(other)
        if problem:
            return f"{place}: {problem}"
        if other["also"]:
            return f"{place}.also should be empty"
    steps = sum(len(each["trace"]) for each in (saved, *saved["also"]))
    if steps > MOST_STEPS:
        return f"its schedules have {steps:,} steps, more than {MOST_STEPS:,}"
    return ""


def _problem_of_one(saved: object) -> str:
    """Return what is wrong with a verdict, the further ones that it has apart."""
    if not isinstance(saved, dict) or saved.get("schema") != SCHEMA:
        return f"it is not a verdict of schema {SCHEMA}"
    problem = _wrong(saved, _VERDICT, "")
    if problem:
        return problem
    if saved["verdict"] != "violated":
        return f"there is nothing to replay: the verdict is {_shortened(saved['verdict'])}"
    problem = _wrong(saved, _VIOLATED, "") or _wrong_scenario(saved["scenario"])
    if problem or saved.get("kernel") is None:
        return problem
    return _wrong_kernel(saved["kernel"])


def _wrong_kernel(kernel: dict[str, Any]) -> str:
    problem = _wrong({"kernel": kernel}, {"kernel": _KERNEL}, "")
    if problem or len(kernel["schedule"]) <= MOST_STEPS:
        return problem
    return f"kernel.schedule has {len(kernel['schedule']):,} actions, more than {MOST_STEPS:,}"


def _wrong(value: object, shape: _Shape, place: str) -> str:
    """Return which part of a value does not have its shape, or an empty string."""
    if isinstance(shape, _Kind):
        return "" if shape.has(value) else f"{place} should be {shape.name}"
    if isinstance(shape, list):
        if not isinstance(value, list):
            return f"{place} should be a list"
        each = (_wrong(one, shape[0], f"{place}[{n}]") for n, one in enumerate(value))
        return next(filter(None, each), "")
    if not isinstance(value, dict):
        return f"{place} should be an object"
    prefix = f"{place}." if place else ""
    each = (_wrong(value.get(name), part, prefix + name) for name, part in shape.items())
    return next(filter(None, each), "")


def _wrong_scenario(scenario: dict[str, Any]) -> str:
    known = {event.name for event in all_events()}
    unknown = [name for name in scenario["events"] if name not in known]
    if unknown:
        return f"scenario.events has {_shortened(unknown[0])}, which is no event"
    if not isinstance(scenario.get("garbage", True), bool):
        return f"scenario.garbage should be {_FLAG.name}"
    try:
        Scenario(scenario["cpus"], scenario["tasks"], scenario["longs"])
    except ValueError as error:
        return str(error)
    return ""


def _shortened(text: str) -> str:
    """Return a text that a file has, quoted, as a message can have it."""
    return repr(text) if len(text) <= 100 else f"{text[:100]!r}..."  # noqa: PLR2004 - a line
