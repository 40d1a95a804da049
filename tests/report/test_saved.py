"""Tests of iopermit.report.saved: damaged files are recognised before a replay."""

from typing import Any

import pytest
from tests.support.report.schedules import review_story
from tests.support.report.verdicts import HOLDS

from iopermit.report.json import verdict_json
from iopermit.report.saved import problem_of

STEP = {"cpu": 0, "event": "step", "arguments": {}, "label": 1}


def damaged(path: str, value: object) -> dict[str, Any]:
    """Return a saved verdict with one member changed."""
    saved = verdict_json(review_story())
    *parents, name = path.split(".")
    place = saved
    for parent in parents:
        place = place[parent]
    place[name] = value
    return saved


def test_saved_verdict_has_no_problem() -> None:
    """What the JSON report writes can be replayed."""
    assert problem_of(verdict_json(review_story())) == ""


@pytest.mark.parametrize("value", [None, [], "text", {}, {"schema": "iopermit/verdict/2"}])
def test_other_json_is_refused(value: object) -> None:
    """JSON of another kind or of another version is refused."""
    assert problem_of(value) == "it is not a verdict of schema iopermit/verdict/1"


def test_verdict_without_schedule_is_refused() -> None:
    """There is nothing to replay in a verdict that holds."""
    assert problem_of(verdict_json(HOLDS)) == "there is nothing to replay: the verdict is 'holds'"


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("subject", 3, "subject should be a string"),
        ("design", {"options": [], "file": ""}, "design.name should be a string"),
        ("scenario.cpus", "2", "scenario.cpus should be a whole number"),
        ("scenario.cpus", True, "scenario.cpus should be a whole number"),
        ("scenario.cpus", 99, "the scenario needs 1 to 4 CPUs, not 99"),
        ("scenario.events", ["frok"], "scenario.events has 'frok', which is no event"),
        ("search.exhausted", 1, "search.exhausted should be true or false"),
        ("search.seconds", "long", "search.seconds should be a number"),
        ("violation", None, "violation.kind should be a string"),
        ("trace", None, "trace should be a list"),
        ("trace", [STEP, STEP | {"label": None}], "trace[1].label should be a whole number"),
        ("trace", [STEP | {"arguments": []}], "trace[0].arguments should be an object"),
        ("trace", [7], "trace[0].cpu should be a whole number"),
    ],
)
def test_damage_is_named(path: str, value: object, problem: str) -> None:
    """A damaged member is named."""
    assert problem_of(damaged(path, value)) == problem
