"""Tests of iopermit.report.html.schedule: the steps of a page, as people and machines tell them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.support.report.schedules import Recorder, review_story
from tests.support.report.verdicts import CRASH

from iopermit.report.html.model import LaneCell, Wrong
from iopermit.report.html.schedule import schedule_of, told
from iopermit.report.html.source import text_on_disk
from iopermit.report.timeline import timeline
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict
    from iopermit.report.html.model import DrawnSchedule


def schedule(verdict: Verdict) -> DrawnSchedule:
    """Return what a page shows of a violation."""
    assert verdict.violation is not None
    found = schedule_of(1, verdict, verdict.violation, text_on_disk)
    assert found is not None
    return found


def test_steps_are_those_of_the_text() -> None:
    """A page tells the same steps in the same words as the report in the terminal."""
    verdict = review_story()
    rows = timeline(verdict.trace or ())
    steps = schedule(verdict).steps
    assert [(s.cpu, s.who, s.what, s.base, s.clear) for s in steps] == [
        (row.cpu, row.who, row.what, row.base, row.clear) for row in rows
    ]


def test_every_atomic_step_belongs_to_a_step_and_a_frame() -> None:
    """Atomic steps are numbered through; each has its step, its state and its line."""
    verdict = review_story()
    found = schedule(verdict)
    assert [step.number for step in found.atomic] == [s.number for s in verdict.trace or ()]
    for step in found.steps:
        inside = [each for each in found.atomic if each.row == step.number]
        assert (inside[0].number, inside[-1].number) == (step.first, step.last)
        assert inside[-1].frame == step.frame
    with_line = [each for each in found.atomic if each.line is not None]
    assert all(each.source for each in with_line)
    for each in with_line:
        assert each.line is not None
        shown = {line.number: line for line in found.sources[each.line.block].lines}
        assert shown[each.line.line].executed
        assert each.source.endswith(f":{each.line.line}")


def test_ports_are_wrong_from_the_step_that_makes_the_base_valid() -> None:
    """The first step after which the TSS is not what the task was granted is marked, only it."""
    found = schedule(review_story())
    marked = [step.number for step in found.steps if step.wrong_from_here]
    assert marked == [3]
    assert "as soon as it goes on in user mode" in found.steps[2].wrong_from_here


def test_a_step_leads_to_the_line_that_changes_the_tss() -> None:
    """The line of a step is the statement by which the TSS changes last."""
    steps = schedule(review_story()).steps
    assert [step.statement for step in steps] == [
        "cpu.tss.bitmap.copy_from(task.io_bitmap_ptr.bitmap, updated)",
        "cpu.tss.io_map_base = IoMapBase.INVALID",
        "cpu.tss.io_map_base = IoMapBase.VALID",
        "cpu.tss.bitmap.copy_from(task.io_bitmap_ptr.bitmap, updated)",
    ]


def test_a_step_that_changes_nothing_leads_to_the_line_to_blame() -> None:
    """Without a change the line of a step is the one that let the violation happen."""
    recorder = Recorder("linux-v2-06", Scenario(1, 2, 2, PLAIN_EVENTS))
    recorder.run(0, "ioperm", first=0, end=2, turn_on=1)
    recorder.run(0, "ioperm", first=0, end=2, turn_on=1)
    verdict = review_story()
    assert verdict.violation is not None
    blamed = next(s.source for s in recorder.trace if s.source and "extent" in s.source.text)
    violation = replace(verdict.violation, task="A", site=blamed)
    last = schedule(replace(verdict, trace=tuple(recorder.trace), violation=violation)).steps[-1]
    assert last.source.endswith(f":{blamed.line}")


def test_a_lane_shows_who_leaves_and_who_comes() -> None:
    """A switch has both tasks; other lanes show who is there meanwhile."""
    recorder = Recorder("linux-v2-06", Scenario(2, 3, 2, PLAIN_EVENTS))
    recorder.run(0, "ioperm", first=0, end=2, turn_on=1)
    recorder.run(1, "switch", following=2)
    recorder.run(0, "switch", following=1)
    recorder.run(0, "ioperm", first=0, end=1, turn_on=1)
    found = schedule(recorder.verdict())
    assert found.cpus == (0, 1)
    leaving = next(s.task for s in recorder.trace if s.cpu == 1)
    assert found.steps[0].lanes == (LaneCell("A", "", "ioperm()", acts=True), LaneCell(leaving))
    assert found.steps[1].lanes[1] == LaneCell("C", leaving, f"{leaving} to C", acts=True)
    assert found.steps[2].lanes == (LaneCell("B", "A", "A to B", acts=True), LaneCell("C"))


def test_a_lane_has_a_short_name_for_what_happens() -> None:
    """What is told in a sentence has its first words in the lane."""
    recorder = Recorder("linux-5.4", Scenario(1, 2, 1, ALL_EVENTS))
    recorder.run(0, "vm-exit")
    recorder.run(0, "ioperm", first=0, end=1, turn_on=1)
    shown = told(1, "", recorder.trace, None, frozenset(), text_on_disk)
    assert [step.lanes[0].text for step in shown.steps] == ["VM exit", "ioperm()"]


def test_states_between_the_steps_are_kept() -> None:
    """States that only atomic steps show are further frames, and every frame is used."""
    found = schedule(review_story())
    used = {step.frame for step in found.atomic}
    assert used == set(range(len(found.frames)))
    told = {step.frame for step in found.steps}
    assert set(found.further_frames) == used - told
    assert Wrong.NOW in found.frames[found.steps[-1].frame].cpus[0].wrong


def test_a_violation_without_steps_has_no_schedule() -> None:
    """What single calls show has no schedule, and the page none."""
    assert CRASH.violation is not None
    assert schedule_of(1, CRASH, CRASH.violation, text_on_disk) is None
