"""Tests of iopermit.report.html.following: who is where, in which mode."""

from __future__ import annotations

from tests.support.report.schedules import Recorder, review_story

from iopermit.report.html.following import USER_MODE, followed, tasks_in_kernel
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario


def modes(recorder: Recorder) -> list[tuple[int, str]]:
    """Return after each step the CPU that it is about, and what that executes."""
    violation = review_story().violation
    assert violation is not None
    inside = tasks_in_kernel(recorder.trace, violation)
    return [(s.cpu, state.mode(s.cpu)) for s, _, state in followed(recorder.trace, inside)]


def test_a_call_is_in_the_kernel_until_it_has_returned() -> None:
    """A task is in user mode after the step with which its call returns, and not before."""
    recorder = Recorder("linux-v2-06", Scenario(1, 2, 2, PLAIN_EVENTS))
    recorder.run(0, "ioperm", first=0, end=2, turn_on=1)
    *inside, last = modes(recorder)
    assert last == (0, USER_MODE)
    assert set(inside) == {(0, "kernel, ioperm()")}


def test_a_return_to_user_mode_with_code_of_its_own_is_in_the_kernel() -> None:
    """A call that returned is still in the kernel while the code at the exit is executed."""
    recorder = Recorder("linux-5.5", Scenario(1, 2, 1, PLAIN_EVENTS))
    recorder.run(0, "ioperm", first=0, end=1, turn_on=1)
    *inside, last = modes(recorder)
    assert last == (0, USER_MODE)
    assert USER_MODE not in {mode for _, mode in inside}


def test_a_switch_names_the_task_that_the_cpu_leaves() -> None:
    """During a context switch the CPU belongs to the next task, and the mode names the other."""
    recorder = Recorder("linux-v2-06", Scenario(1, 2, 2, PLAIN_EVENTS))
    recorder.run(0, "switch", following=1)
    *inside, last = modes(recorder)
    assert last == (0, USER_MODE)
    assert set(inside) == {(0, "kernel, switching from A")}


def test_a_preempted_task_stays_in_the_kernel() -> None:
    """A task that is preempted in a call is in the kernel again when it is switched to."""
    recorder = Recorder("linux-v2-06", Scenario(1, 2, 2, PLAIN_EVENTS))
    recorder.start(0, "ioperm", first=0, end=2, turn_on=1)
    recorder.step(0)
    recorder.run(0, "switch", following=1)
    recorder.start(0, "switch", following=0)
    while recorder.recorder.system.processors[0].switching:
        recorder.step(0)
    switched = len(recorder.trace)
    recorder.step(0)
    assert modes(recorder)[switched - 1 :] == [(0, "kernel, ioperm()")] * 2


def test_stale_bits_belong_to_who_was_granted_the_ports() -> None:
    """Bits of ports are those of a task that has them, or of one that once had them."""
    verdict = review_story()
    assert verdict.trace is not None
    *_, (_, _, state) = followed(verdict.trace, frozenset())
    assert state.owner(1 << 200, "B") == "A"
    state.grants.ports["A"] = 0
    assert state.owner(1 << 200, "B") == "A"
    state.once.clear()
    assert state.owner(1 << 200, "B") == ""
