"""Counterexamples become steps that can be forced, or name the step that cannot be."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.reproduce.counterexamples import counterexample, crash

from iopermit.reproduce import schedule as module
from iopermit.reproduce.errors import UnforcedError
from iopermit.reproduce.guest.commands import GuestCommand, GuestTask
from iopermit.reproduce.left_state import LeftState
from iopermit.reproduce.schedule import HELPER, PREEMPTED_AFTER, Forcing, Schedule, schedule_of
from iopermit.system.events import EVENTS

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict

EVERY_PORT = (0, 65536)


def scheduled(verdict: Verdict) -> Schedule:
    """Return the steps of a counterexample."""
    assert verdict.violation is not None
    return schedule_of(verdict.trace or (), verdict.violation)


def test_the_preemption_leak_is_four_steps() -> None:
    """A opens every port, is held while it gives them up, and B, who has none, reads ports then."""
    found = scheduled(counterexample("linux-6.16", "ioperm,preempt"))
    assert [step.forcing for step in found.steps] == [
        Forcing.CALL,
        Forcing.HOLD,
        Forcing.TURN,
        Forcing.ITSELF,
    ]
    assert found.preempted is found.steps[1]
    assert found.steps[1].state is LeftState.FLAG_CLEARED
    assert found.commands == [
        GuestCommand("arm", "A", arguments=(PREEMPTED_AFTER,)),
        GuestCommand("ioperm", "A", 0, arguments=(*EVERY_PORT, 1)),
        GuestCommand("ioperm", "A", 1, arguments=(*EVERY_PORT, 0)),
        GuestCommand("in", "B", timed=True),
    ]
    assert found.tasks == {"A": GuestTask("A"), "B": GuestTask("B", 0, 2, privileged=False)}
    assert found.cpus == 1


def test_iopl_is_held_as_ioperm_is() -> None:
    """The same leak by iopl(0): the calls have the level as their argument."""
    found = scheduled(counterexample("linux-6.16", "iopl,preempt"))
    assert [command.arguments for command in found.commands[1:3]] == [(3,), (0,)]
    assert found.steps[1].forcing is Forcing.HOLD


def test_another_task_takes_the_place_of_an_idle_one() -> None:
    """With two CPUs a helper preempts A, moves it to the other CPU, and moves it back."""
    found = scheduled(counterexample("linux-6.16", "ioperm,preempt,migrate", cpus=2, tasks=1))
    assert found.cpus == 2
    assert found.commands[3:] == [
        GuestCommand("move", HELPER, timed=True, arguments=(0, 1)),
        GuestCommand("move", HELPER, 2, arguments=(0, 0)),
        GuestCommand("in", "A", 4),
    ]
    assert [step.number for step in found.steps if step.forcing is Forcing.MOVE] == [4, 7]
    assert found.tasks[HELPER].priority > found.tasks["A"].priority


def test_a_late_failure_of_fork_is_a_call() -> None:
    """B forks with a bad address for the pidfd; A ends before, without any privilege."""
    verdict = counterexample("linux-5.4", "ioperm,fork-fails,exit")
    found = scheduled(verdict)
    assert [command.what for command in found.commands] == ["exit", "ioperm", "fork-fails", "in"]
    assert found.preempted is None
    assert not found.tasks["A"].privileged
    assert found.tasks["B"].privileged


def test_calls_that_are_not_preempted_follow_each_other() -> None:
    """Without a preemption no timer is needed: each command waits for the one before."""
    verdict = counterexample("linux-v2-06-reviewed", "ioperm,migrate", cpus=2, tasks=1, longs=2)
    found = scheduled(verdict)
    assert not any(command.timed for command in found.commands)
    assert [c.after for c in found.commands] == [None, *range(len(found.commands) - 1)]


def test_a_fault_that_nobody_sees_is_named() -> None:
    """Garbage is not judged, and the message says so."""
    with pytest.raises(UnforcedError, match="cannot see garbage"):
        scheduled(counterexample("linux-5.5", "ioperm,fork-fails,exit"))


def test_a_step_that_cannot_be_forced_is_named() -> None:
    """The number of the step, and why, are told: here a thread of the kernel is needed."""
    verdict = counterexample("linux-5.4", "ioperm,io-thread,exit")
    assert verdict.violation is not None
    leak = replace(verdict.violation, kind="leak")
    with pytest.raises(UnforcedError, match="no call of the guest makes such a thread") as error:
        schedule_of(verdict.trace or (), leak)
    assert error.value.step == 4


def test_a_preemption_whose_point_cannot_be_seen_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the statement stores is quoted if the debugger knows no such state."""
    monkeypatch.setattr(module, "left_state", lambda _: (None, "iobm.max = longs"))
    with pytest.raises(UnforcedError, match=r"cannot see what “iobm\.max = longs” stores") as error:
        scheduled(counterexample("linux-6.16", "ioperm,preempt"))
    assert error.value.step == 2


def test_a_schedule_that_is_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guest has room for so many calls, and no more are written into it."""
    monkeypatch.setattr(module, "MOST_COMMANDS", 3)
    with pytest.raises(UnforcedError, match="more than 3 calls"):
        scheduled(counterexample("linux-6.16", "ioperm,preempt"))


def test_every_event_is_forced_or_has_a_reason() -> None:
    """No event that a task or CPU can do is passed over in silence."""
    starts = {name for name, event in EVENTS.items() if event.operation is not None}
    known = set(module._CALLS) | set(module._UNFORCED)
    # A thread of the kernel that fails needs one first, which has its reason.
    assert starts - known == {"io-thread-fails"}
    assert not set(module._CALLS) & set(module._UNFORCED)


@pytest.mark.parametrize("only_later", [False, True])
def test_what_single_calls_show_has_no_schedule(*, only_later: bool) -> None:
    """Rules that single calls break come with steps that no event begins, or with none."""
    verdict = counterexample("linux-6.16", "ioperm,preempt")
    assert verdict.violation is not None
    trace = [step for step in verdict.trace or () if not step.is_event] if only_later else []
    with pytest.raises(UnforcedError, match="single calls show the fault"):
        schedule_of(trace, verdict.violation)


def test_a_crash_of_a_call_is_that_call() -> None:
    """What ends in a crash is executed without a debugger; nothing has to be held in it."""
    found = scheduled(crash())
    assert found.crashes
    assert [command.what for command in found.commands] == ["ioperm", "in"]
    verdict = counterexample("linux-6.16", "ioperm,preempt")
    assert verdict.violation is not None
    crashed = replace(verdict.violation, kind="crash")
    with pytest.raises(UnforcedError, match="no task is held where the fault is a crash") as error:
        schedule_of(verdict.trace or (), crashed)
    assert error.value.step == 2
