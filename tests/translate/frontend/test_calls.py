"""Tests that methods are lowered in place of their calls."""

from pathlib import Path

import pytest
from tests.support.translate.lowering import lower, lowered

CALLS = {
    "the result goes to the caller's variable": (
        "x = self.mark(task)\nreturn x",
        ["0: task.ready = 1; -> 1", "1: x = 0; -> 2", "2: result = x; -> end"],
    ),
    "a returned call returns its result": (
        "return self.mark(task)",
        ["0: task.ready = 1; -> 1", "1: result = 0; -> end"],
    ),
    "without a variable the result is dropped": (
        "self.mark(task)\ntask.longs = 0",
        ["0: task.ready = 1; -> 1", "1: -> 2", "2: task.longs = 0; -> end"],
    ),
    "a method of one expression is no step": (
        "task.ready = self.is_ready(task)",
        ["0: t1 = task.ready; if t1 {t1 = (0 lt task.count)}; task.ready = t1; -> end"],
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_call(case: str, tmp_path: Path) -> None:
    """A call becomes the steps that its name says."""
    body, expected = CALLS[case]
    assert lowered(tmp_path, body) == expected


def test_steps_know_the_calls_that_led_to_them(tmp_path: Path) -> None:
    """A step of a called method names the calling statement; one of the method itself none."""
    steps, _, _ = lower(tmp_path, "x = self.mark(task)\nreturn x")
    calls = [[site.text for site in step.calls] for step in steps.values()]
    assert calls == [["x = self.mark(task)"], ["x = self.mark(task)"], []]


def test_two_calls_have_variables_of_their_own(tmp_path: Path) -> None:
    """A method called twice in one method is lowered twice."""
    steps, _, _ = lower(tmp_path, "self.mark(task)\nself.mark(task)")
    sites = [step.site.text for step in steps.values() if step.site is not None]
    assert sites == ["task.ready = True", "return 0"] * 2
