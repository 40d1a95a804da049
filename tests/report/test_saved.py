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
        ("design", {"options": [], "file": ""}, "design.name should be the name of a file"),
        ("scenario.cpus", "2", "scenario.cpus should be a whole number"),
        ("scenario.cpus", True, "scenario.cpus should be a whole number"),
        ("scenario.cpus", 99, "the scenario needs 1 to 4 CPUs, not 99"),
        ("scenario.events", ["frok"], "scenario.events has 'frok', which is no event"),
        ("search.exhausted", 1, "search.exhausted should be true or false"),
        ("search.seconds", "long", "search.seconds should be a number"),
        ("violation", None, "violation should be an object"),
        ("trace", None, "trace should be a list"),
        ("trace", [STEP, STEP | {"label": None}], "trace[1].label should be a whole number"),
        (
            "trace",
            [STEP | {"arguments": []}],
            "trace[0].arguments should be an object with whole numbers",
        ),
        ("trace", [7], "trace[0] should be an object"),
        (
            "trace",
            [STEP | {"arguments": {"first": "0"}}],
            "trace[0].arguments should be an object with whole numbers",
        ),
        ("trace", [STEP | {"event": {}}], "trace[0].event should be a string"),
        ("trace", [STEP] * 10_001, "its schedules have 10,001 steps, more than 10,000"),
        ("scenario", None, "scenario should be an object"),
        ("scenario.cpus", 1 << 70, "scenario.cpus should be a whole number"),
        ("scenario.events", [{"x": 1}], "scenario.events[0] should be a string"),
        (
            "scenario.events",
            ["f" * 200],
            f"scenario.events has {'f' * 100!r}..., which is no event",
        ),
        ("scenario.garbage", 1, "scenario.garbage should be true or false"),
        ("design.file", "nul\0", "design.file should be the name of a file"),
        ("design.name", "\ud800", "design.name should be the name of a file"),
        ("design.options", [1], "design.options[0] should be a string"),
        ("search.seconds", float("inf"), "search.seconds should be a number"),
        (
            "violation.needs_privilege",
            "no",
            "violation.needs_privilege should be true, false or null",
        ),
        ("also", None, "also should be a list"),
        ("also", [None], "also[0]: it is not a verdict of schema iopermit/verdict/1"),
        ("kernel", {"tree": 1}, "kernel.tree should be the name of a file"),
        ("kernel", [], "kernel should be an object"),
    ],
)
def test_damage_is_named(path: str, value: object, problem: str) -> None:
    """A damaged member is named."""
    assert problem_of(damaged(path, value)) == problem


def test_further_violations_are_looked_at_too() -> None:
    """A damaged member of a further violation is named with its place; it has none of its own."""
    further = damaged("trace", [STEP | {"label": "B"}])
    problem = "also[0]: trace[0].label should be a whole number"
    assert problem_of(damaged("also", [further])) == problem
    nested = damaged("also", [verdict_json(review_story())])
    assert problem_of(damaged("also", [nested])) == "also[0].also should be empty"


KERNEL: dict[str, Any] = {
    "tree": "/tree",
    "patches": [],
    "key": "",
    "bounds": [],
    "schedule": [{"cpu": 0, "event": "step", "arguments": {}, "choices": []}],
    "points": {
        **{key: [1] for key in ("task_reads", "task_writes", "shared", "data", "remote")},
        "tss_bitmap": False,
        "interrupts": False,
    },
}


@pytest.mark.parametrize(
    ("member", "value", "problem"),
    [
        ("patches", "", "kernel.patches should be a list"),
        ("bounds", [3], "kernel.bounds[0] should be a string"),
        ("schedule", [[]], "kernel.schedule[0] should be an object"),
        ("points", {}, "kernel.points.task_reads should be a list"),
        (
            "schedule",
            KERNEL["schedule"] * 10_001,
            "kernel.schedule has 10,001 actions, more than 10,000",
        ),
    ],
)
def test_damage_of_what_a_tree_needs_is_named(member: str, value: object, problem: str) -> None:
    """What the replay of a kernel tree follows is looked at before the tree is."""
    assert problem_of(damaged("kernel", KERNEL)) == ""
    assert problem_of(damaged("kernel", KERNEL | {member: value})) == problem
