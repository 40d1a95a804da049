"""One execution is judged by the TSS, and by what the task could read, against its grants."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.reproduce.counterexamples import counterexample
from tests.support.reproduce.reproductions import CLOSED, OPEN

from iopermit.report.reproduction.facts import Observation, PreemptionPoint, SeenTss
from iopermit.reproduce.attempt import Attempt
from iopermit.reproduce.errors import UnforcedError
from iopermit.reproduce.guest.telling import CommandResult, GuestReport
from iopermit.reproduce.judgement import judged, tss_shows
from iopermit.reproduce.schedule import Schedule, schedule_of

DONE = CommandResult(True, 0, 0, 0, (0, 0, 0))
EVERY_IN = replace(DONE, passed=7, values=(1, 2, 3))


def leak() -> Schedule:
    """Return the preemption leak: B may use every port and was granted none."""
    verdict = counterexample("linux-6.16", "ioperm,preempt")
    assert verdict.violation is not None
    return schedule_of(verdict.trace or (), verdict.violation)


def report(*results: CommandResult, attempts: int = 3) -> GuestReport:
    """Return a report in which every attempt had these results."""
    numbered = {(n, c): r for n in range(attempts) for c, r in enumerate(results)}
    return GuestReport(results=numbered, ended=True)


def attempt(tss: SeenTss) -> Attempt:
    """Return the second attempt, in which B was in user mode with a TSS."""
    return Attempt(1, observations={4: Observation(4, "IN of the task", 0, "B", tss)})


@pytest.mark.parametrize(
    ("tss", "last", "shown", "clean"),
    [
        (OPEN, EVERY_IN, True, False),
        (CLOSED, DONE, False, True),
        (OPEN, DONE, False, False),
        (CLOSED, EVERY_IN, False, False),
        (OPEN, replace(EVERY_IN, passed=5), False, False),
        (CLOSED, replace(EVERY_IN, passed=1), False, True),
    ],
)
def test_both_have_to_show_it(
    tss: SeenTss, last: CommandResult, *, shown: bool, clean: bool
) -> None:
    """A leak is shown by a TSS that allows the ports, and by every IN of theirs that passes."""
    results = report(DONE, DONE, DONE, last)
    run = judged(leak(), results, attempt(tss), PreemptionPoint.WINDOW, 1.0)
    assert (run.shown, run.clean) == (shown, clean)


def test_a_guest_left_to_itself_is_judged_by_all_its_attempts() -> None:
    """A single IN that passes, in whichever attempt, is a leak then."""
    results = report(DONE, DONE, DONE, DONE)
    nowhere = PreemptionPoint.NOWHERE
    assert judged(leak(), results, None, nowhere, 1.0).clean
    results.results[2, 3] = replace(DONE, passed=2)
    run = judged(leak(), results, None, nowhere, 1.0)
    assert not run.clean
    assert len(run.reads) == 9


def test_without_a_harmless_port_the_tss_alone_is_judged() -> None:
    """Where none of the wrong ports may be read, the task does not try, and that is told."""
    schedule = leak()
    schedule.violation = replace(schedule.violation, ports=((1024, 1047),))
    run = judged(schedule, report(*[DONE] * 4), attempt(OPEN), PreemptionPoint.WINDOW, 1.0)
    assert run.guest_shows is None
    assert run.reads == ()
    assert run.shown


def test_a_port_counts_only_with_all_its_bytes() -> None:
    """Port 0xcf8 is read with four bytes: three wrong ones are none."""
    schedule = leak()
    schedule.violation = replace(schedule.violation, ports=((0x71, 0x80), (0xCF8, 0xCFA)))
    run = judged(schedule, report(*[EVERY_IN] * 4), attempt(OPEN), PreemptionPoint.WINDOW, 1.0)
    assert [read.port for read in run.reads] == [0x80, 0x71]


@pytest.mark.parametrize(
    ("kind", "granted", "tss", "shows"),
    [
        ("leak", (), OPEN, True),
        ("leak", ((128, 128),), OPEN, False),
        ("leak", (), CLOSED, False),
        ("loss", ((0, 65535),), CLOSED, True),
        ("loss", ((0, 65535),), OPEN, False),
        ("loss", ((0, 127),), CLOSED, False),
    ],
)
def test_the_tss_is_compared_with_the_grants(
    kind: str, granted: tuple[tuple[int, int], ...], tss: SeenTss, *, shows: bool
) -> None:
    """All ports of the counterexample have to be wrong: allowed and not granted, or the reverse."""
    schedule = leak()
    changed = replace(schedule.violation, ports=((100, 200),), granted=granted)
    schedule.violation = replace(changed, kind="leak" if kind == "leak" else "loss")
    assert tss_shows(schedule, tss) == shows


def test_a_loss_is_an_in_that_ends_in_a_signal() -> None:
    """A task that was granted the ports and cannot read them has lost them."""
    schedule = leak()
    schedule.violation = replace(schedule.violation, kind="loss", granted=((0, 65535),))
    point = PreemptionPoint.WINDOW
    assert judged(schedule, report(*[DONE] * 4), attempt(CLOSED), point, 1.0).shown
    assert judged(schedule, report(*[EVERY_IN] * 4), attempt(OPEN), point, 1.0).clean


@pytest.mark.parametrize(
    ("result", "step", "message"),
    [
        (replace(DONE, value=-1, error=1), 2, "ioperm of the guest failed with error 1"),
        (replace(DONE, done=False), 2, "did not get to its ioperm"),
    ],
)
def test_a_call_that_went_otherwise_is_named(
    result: CommandResult, step: int, message: str
) -> None:
    """A call whose result is not that of the counterexample is a step that was not forced."""
    results = report(DONE, DONE, result, EVERY_IN)
    with pytest.raises(UnforcedError, match=message) as error:
        judged(leak(), results, attempt(OPEN), PreemptionPoint.WINDOW, 1.0)
    assert error.value.step == step


def test_a_fork_that_is_to_fail_has_to() -> None:
    """A fork that succeeds where the counterexample has it fail is a step that was not forced."""
    verdict = counterexample("linux-5.4", "ioperm,fork-fails,exit")
    assert verdict.violation is not None
    schedule = schedule_of(verdict.trace or (), verdict.violation)
    observed = Observation(4, "IN of the task", 0, "B", CLOSED)
    seen = Attempt(1, observations={4: observed})
    failed = replace(DONE, value=-1, error=17)
    results = report(DONE, DONE, failed, DONE)
    assert judged(schedule, results, seen, PreemptionPoint.WINDOW, 1.0).shown
    with pytest.raises(UnforcedError, match="fork-fails of the guest succeeded"):
        judged(schedule, report(*[DONE] * 4), seen, PreemptionPoint.WINDOW, 1.0)


def test_a_failure_of_the_guest_is_told() -> None:
    """What the guest could not do is why nothing was forced."""
    failed = replace(report(*[DONE] * 4), failure="mmap: no memory")
    with pytest.raises(UnforcedError, match="the guest failed: mmap: no memory"):
        judged(leak(), failed, attempt(OPEN), PreemptionPoint.WINDOW, 1.0)
