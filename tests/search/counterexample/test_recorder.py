"""Tests of iopermit.search.counterexample.recorder: what is noted of each step at full size."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from tests.support.report.schedules import Recorder

from iopermit.engine.trace import MapBytes, SelectedMap
from iopermit.system.bitmap import PortRange
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.engine.trace import TraceStep


def recorder(design: str) -> Recorder:
    """Return a recorder for two tasks on one CPU."""
    return Recorder(design, Scenario(1, 2, 2, ALL_EVENTS))


def steps_with(recorded: Recorder, statement: str) -> list[TraceStep]:
    """Return the steps of statements that contain a text."""
    return [s for s in recorded.trace if s.source is not None and statement in s.source.text]


def test_an_event_has_its_arguments_as_they_were_chosen_and_at_full_size() -> None:
    """ioperm() of the second long has longs as arguments, and real ports as values."""
    recorded = recorder("linux-5.4")
    recorded.start(0, "ioperm", first=0, end=2, turn_on=1)
    first = recorded.trace[0]
    assert (first.task, first.following, first.is_event) == ("A", "", True)
    assert first.arguments == {"first": 0, "end": 2, "turn_on": 1}
    assert first.values == {"ports": PortRange(0, 65536), "turn_on": True}


def test_a_copy_tells_which_bytes_it_handles() -> None:
    """Each step of a copy handles a part of the map, from the first byte to the last."""
    recorded = recorder("linux-5.4")
    recorded.run(0, "ioperm", first=0, end=2, turn_on=1)
    copies = [
        step.handled for step in steps_with(recorded, "tss.bitmap.copy_from(") if step.handled
    ]
    assert copies == [MapBytes(0, 23, 8192, True), MapBytes(24, 8191, 8192, True)]
    changes = [step.handled for step in steps_with(recorded, ".bitmap.change(") if step.handled]
    assert changes == [MapBytes(0, 23, 8192, False), MapBytes(24, 8191, 8192, False)]


def test_the_tss_before_a_step_is_the_one_after_the_step_before() -> None:
    """Each step of a CPU begins with the TSS that the last one left; the base changes in one."""
    recorded = recorder("linux-v2-06")
    recorded.run(0, "ioperm", first=0, end=2, turn_on=1)
    trace = recorded.trace
    assert all(one.after == two.before for one, two in itertools.pairwise(trace))
    moved = [s for s in trace if s.before.io_map_base is not s.after.io_map_base]
    assert [s.after.io_map_base for s in moved] == [SelectedMap.VALID]
    assert moved[0].source is not None
    assert "io_map_base" in moved[0].source.text


@pytest.mark.parametrize(("steps", "preempts"), [(0, True), (100, False)])
def test_a_switch_preempts_kernel_code_only(steps: int, preempts: bool) -> None:
    """A switch right after the call began preempts it; one after its end does not."""
    recorded = recorder("linux-5.4")
    recorded.start(0, "ioperm", first=0, end=2, turn_on=1)
    if steps:
        recorded.finish(0)
    recorded.run(0, "switch", following=1)
    switch = next(step for step in recorded.trace if step.event == "switch")
    assert (switch.who, switch.preempts) == ("A to B", preempts)


def test_the_step_that_returns_has_the_error() -> None:
    """The step with which a refused call returns has the name of its error, and no other step."""
    recorded = recorder("linux-5.4")
    recorded.run(0, "ioperm", first=0, end=0, turn_on=1)
    failed = [(step.environment, step.error) for step in recorded.trace if step.error]
    assert failed == [("ioperm() returns", "EINVAL")]
