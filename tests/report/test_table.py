"""Tests of iopermit.report.table: columns that line up and fit."""

import itertools
from collections.abc import Callable, Sequence

import pytest
from tests.support.report.schedules import Recorder, review_story

from iopermit.engine.trace import TraceStep
from iopermit.report.table import steps_table, timeline_table
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario


@pytest.mark.parametrize("width", [90, 95, 100])
def test_timeline_keeps_to_its_width(width: int) -> None:
    """The text column wraps so that the table is as wide as asked."""
    table = timeline_table(review_story().trace or (), width)
    assert max(len(line) for line in table) <= width


def test_wrapping_loses_nothing() -> None:
    """A narrow table has the same words as a wide one."""
    trace = review_story().trace or ()
    narrow, wide = (" ".join(timeline_table(trace, width)).split() for width in (90, 100))
    assert sorted(narrow) == sorted(wide)


def test_each_cpu_has_a_column() -> None:
    """Who runs stands in the column of its CPU."""
    recorder = Recorder("linux-v2-06", Scenario(2, 3, 2, ALL_EVENTS))
    recorder.run(1, "iopl", level=3)
    recorder.run(0, "iopl", level=3)
    head, first, second = timeline_table(recorder.trace, 100)
    assert first.index("B") == head.index("CPU 1")
    assert second.index("A") == head.index("CPU 0")


def test_steps_show_a_tss_only_when_it_changes() -> None:
    """The steps table tells the TSS at first and then at every change."""
    trace = review_story().trace or ()
    states = [step.tss for step in trace]
    changes = 1 + sum(one != other for one, other in itertools.pairwise(states))
    assert sum("=>" in line for line in steps_table(trace, 100)) == changes


@pytest.mark.parametrize("width", [60, 80, 100, 200])
@pytest.mark.parametrize("table", [timeline_table, steps_table])
def test_no_line_is_longer_than_the_terminal(
    table: Callable[[Sequence[TraceStep], int], list[str]], width: int
) -> None:
    """From 60 columns on a table fits, with all its words."""
    trace = review_story().trace or ()
    lines = table(trace, width)
    assert max(map(len, lines)) <= width
    words = "".join("".join(lines).split())
    assert all(word in words for word in ("whathappens", "ioperm", "0-65535"))


def test_two_cpus_fit_too() -> None:
    """A column for a further CPU leaves room for what happens in 60 columns."""
    recorder = Recorder("linux-v2-06", Scenario(2, 3, 2, ALL_EVENTS))
    recorder.run(1, "iopl", level=3)
    recorder.run(0, "iopl", level=3)
    assert max(map(len, timeline_table(recorder.trace, 60))) <= 60
