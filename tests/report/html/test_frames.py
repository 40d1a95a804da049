"""Tests of iopermit.report.html.frames: what a drawing of a state shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.report.schedules import Recorder, review_story

from iopermit.report.html.columns import port_columns
from iopermit.report.html.frames import frames_of
from iopermit.report.html.model import MapBits, Wrong
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict
    from iopermit.report.html.model import CpuState

STALE = MapBits(clear=True, owner="A", stale=True)
OWN = MapBits(clear=True, owner="B")
SET = MapBits(clear=False)


def states(verdict: Verdict) -> list[CpuState]:
    """Return the state of CPU 0 after each step."""
    assert verdict.trace is not None
    assert verdict.violation is not None
    columns = port_columns(verdict.trace, verdict.violation)
    frames = frames_of(verdict.trace, verdict.violation, columns, frozenset())
    return [frame.cpus[0] for frame in frames]


def test_the_last_state_shows_the_violation() -> None:
    """Bits left over are the other task's, and the ports that the violation names are wrong."""
    last = states(review_story())[-1]
    assert last.bits == (SET, OWN, SET, STALE)
    assert last.allows == (False, True, False, True)
    assert last.granted == (False, True, False, False)
    assert last.wrong == (Wrong.NO, Wrong.NO, Wrong.NO, Wrong.NOW)
    assert last.summary.endswith("Wrong: the CPU allows 192-65535.")


def test_nothing_is_wrong_while_the_base_is_past_the_limit() -> None:
    """Stale bits behind a base past the limit allow nothing."""
    found = [each for each in states(review_story()) if each.base == "past limit"]
    stale = [each for each in found if STALE in each.bits]
    assert stale
    assert {may for each in stale for may in each.allows} == {False}
    assert {wrong for each in stale for wrong in each.wrong} == {Wrong.NO}


def test_what_would_be_wrong_is_marked_while_the_kernel_executes() -> None:
    """From the step that makes the base valid on, stale bits would be wrong in user mode."""
    every = states(review_story())
    valid_again = 1 + max(n for n, each in enumerate(every) if each.base == "past limit")
    assert Wrong.SOON not in every[valid_again - 1].wrong
    assert all(Wrong.SOON in each.wrong for each in every[valid_again:-1])


def test_what_a_call_is_about_to_grant_is_not_stale() -> None:
    """Bits that a call has cleared for its own task belong to it before it returns."""
    recorder = Recorder("linux-v2-06", Scenario(1, 2, 2, PLAIN_EVENTS))
    recorder.run(0, "ioperm", first=0, end=2, turn_on=1)
    columns = port_columns(recorder.trace, None)
    frames = frames_of(recorder.trace, None, columns, frozenset())
    assert not any(bits.stale for frame in frames[:-1] for bits in frame.cpus[0].bits)


def test_a_short_limit_cuts_the_map_off() -> None:
    """After a VM exit no port is allowed, whatever the base and the bits say."""
    recorder = Recorder("linux-5.4", Scenario(1, 2, 1, ALL_EVENTS))
    recorder.run(0, "ioperm", first=0, end=1, turn_on=1)
    recorder.run(0, "switch", following=1)
    recorder.run(0, "vm-exit")
    columns = port_columns(recorder.trace, None)
    frames = frames_of(recorder.trace, None, columns, frozenset())
    (last,) = frames[-1].cpus
    assert (last.base, last.limit_low) == ("valid", True)
    assert set(last.allows) == {False}
    assert "limit 0x67" in last.summary
