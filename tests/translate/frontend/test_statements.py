"""Tests which steps each statement of a method becomes, and where they go on."""

from pathlib import Path

import pytest
from tests.support.translate.lowering import lower, lowered

STATEMENTS = {
    "an assignment is one step": (
        "task.ready = True",
        ["0: task.ready = 1; -> end"],
    ),
    "statements follow one another": (
        "task.ready = True\ntask.count = 0",
        ["0: task.ready = 1; -> 1", "1: task.count = 0; -> end"],
    ),
    "an augmented assignment reads and writes in one step": (
        "task.count -= 1",
        [
            (
                "0: check (task.count lt 1) 'task.count - 1 is negative'; "
                "task.count = (task.count sub 1); -> end"
            )
        ],
    ),
    "a bounded field is checked": (
        "task.count += 1",
        [
            (
                "0: check (2 lt (task.count add 1)) 'value out of range: count holds at most 2'; "
                "task.count = (task.count add 1); -> end"
            )
        ],
    ),
    "a test is a step of its own": (
        "if task.ready:\n    task.count = 1\nelse:\n    task.count = 2",
        [
            "0: if task.ready {-> 1} else {-> 2}",
            "1: task.count = 1; -> end",
            "2: task.count = 2; -> end",
        ],
    ),
    "without an else the test goes on": (
        "if task.ready:\n    task.count = 1\ntask.ready = False",
        [
            "0: if task.ready {-> 1} else {-> 2}",
            "1: task.count = 1; -> 2",
            "2: task.ready = 0; -> end",
        ],
    ),
    "a test of the design's constants is no step": (
        "if self.careful:\n    task.count = 1\nelse:\n    task.count = 2",
        ["0: task.count = 1; -> end"],
    ),
    "a loop tests before each turn": (
        "while task.ready:\n    task.count = 1",
        ["0: if task.ready {-> 1} else {-> end}", "1: task.count = 1; -> 0"],
    ),
    "break leaves the loop, continue tests again": (
        "while task.ready:\n    if task.privileged:\n        break\n    continue\ntask.count = 1",
        [
            "0: if task.ready {-> 1} else {-> 2}",
            "1: if task.privileged {-> 2} else {-> 0}",
            "2: task.count = 1; -> end",
        ],
    ),
    "a counted loop evaluates its bound once": (
        "for i in range(task.count):\n    task.count = i",
        [
            "0: i.end = task.count; i = 0; if (task.count ne 0) {-> 1} else {-> end}",
            "1: task.count = i; -> 2",
            "2: if ((i add 1) lt i.end) {i = (i add 1); -> 1} else {-> end}",
        ],
    ),
    "continue in a counted loop goes to the next turn": (
        "for i in range(2):\n    if task.ready:\n        continue\n    task.count = i",
        [
            "0: i.end = 2; i = 0; if 1 {-> 1} else {-> end}",
            "1: if task.ready {-> 2} else {-> 3}",
            "2: if ((i add 1) lt i.end) {i = (i add 1); -> 1} else {-> end}",
            "3: task.count = i; -> 2",
        ],
    ),
    "a return ends the method at once": (
        "if task.ready:\n    return 0\ntask.count = 1\nreturn 2",
        [
            "0: if task.ready {-> 1} else {-> 2}",
            "1: result = 0; -> end",
            "2: task.count = 1; -> 3",
            "3: result = 2; -> end",
        ],
    ),
    "a return without a value is no step": (
        "if task.ready:\n    return\ntask.count = 1",
        ["0: if task.ready {-> end} else {-> 1}", "1: task.count = 1; -> end"],
    ),
    "an assertion is a check": (
        "assert task.ready, 'it is ready'",
        ["0: check (task.ready eq 0) 'kernel assertion failed: it is ready'; -> end"],
    ),
    "pass and texts are no steps": (
        "pass\n'text'\ntask.ready = True",
        ["0: task.ready = 1; -> end"],
    ),
    "loading the task register lifts the limit of TR": (
        "cpu.load_task_register()",
        ["0: cpu.tr_limit_low = 0; -> end"],
    ),
}


@pytest.mark.parametrize("case", STATEMENTS)
def test_statement(case: str, tmp_path: Path) -> None:
    """A statement becomes the steps that its name says."""
    body, expected = STATEMENTS[case]
    assert lowered(tmp_path, body) == expected


def test_preemption_is_off_inside_the_with_only(tmp_path: Path) -> None:
    """The step that turns preemption off can be preempted; those inside cannot."""
    body = "with cpu.preemption_disabled():\n    task.ready = True\ntask.count = 0"
    steps, entry, _ = lower(tmp_path, body)
    assert [step.preemption_off for step in steps.values()] == [False, True, False]
    assert steps[entry].label == "preemption off"


def test_only_loops_over_a_range_are_counted(tmp_path: Path) -> None:
    """The end of a turn of range() is counted when the loop begins; that of while is not."""
    for body, counted in (
        ("for i in range(2):\n    task.count = i", 1),
        ("while task.ready:\n    task.count = 1", 0),
    ):
        steps, _, _ = lower(tmp_path, body)
        assert sum(step.counted for step in steps.values()) == counted


def test_steps_know_their_statement(tmp_path: Path) -> None:
    """A step names the line that it comes from."""
    steps, entry, _ = lower(tmp_path, "task.ready = True")
    site = steps[entry].site
    assert site is not None
    assert (site.text, site.function) == ("task.ready = True", "example")
