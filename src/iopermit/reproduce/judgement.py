"""Judges one execution of a schedule: by the TSS, and by what the task itself could read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.report.grants import mask
from iopermit.report.reproduction.facts import BootedRun, PortRead, PreemptionPoint
from iopermit.reproduce.errors import UnforcedError
from iopermit.reproduce.guest.commands import HARMLESS_PORTS

if TYPE_CHECKING:
    from iopermit.report.reproduction.facts import SeenTss
    from iopermit.reproduce.attempt import Attempt
    from iopermit.reproduce.guest.telling import GuestReport
    from iopermit.reproduce.schedule import Schedule


def judged(
    schedule: Schedule,
    report: GuestReport,
    attempt: Attempt | None,
    position: PreemptionPoint,
    seconds: float,
) -> BootedRun:
    """Judge what the TSS allowed, and what the task itself could do.

    Args:
        schedule: what was forced.
        report: what the guest told.
        attempt: what the debugger saw; None if the guest was left to itself.
        position: where the task was preempted.
        seconds: how long the boot took.

    Raises:
        UnforcedError: the guest did not execute every command as the counterexample has it.
    """
    if report.failure:
        raise UnforcedError(None, f"the guest failed: {report.failure}")
    numbers = {number for number, _ in report.results} if attempt is None else {attempt.number}
    _require_results(schedule, report, numbers)
    observations = () if attempt is None else tuple(attempt.observations.values())
    last = None if attempt is None else attempt.observations[schedule.steps[-1].number].tss
    reads = tuple(read for number in numbers for read in _reads(schedule, report, number))
    wrong = [read.passed == (schedule.violation.kind == "leak") for read in reads]
    return BootedRun(
        position,
        seconds,
        observations,
        last is not None and tss_shows(schedule, last),
        reads,
        # Left to itself, a single IN that goes wrong is one too many.
        (any(wrong) if attempt is None else all(wrong)) if reads else None,
        "" if attempt is None else attempt.forbidden,
    )


def judged_by_console(
    schedule: Schedule, report: GuestReport, crash: str, position: PreemptionPoint, seconds: float
) -> BootedRun:
    """Judge by what the console told of a crash.

    Args:
        schedule: what ends in a crash by the counterexample.
        report: what the guest told; nothing of its results if the kernel crashed.
        crash: what the console told; empty if the kernel did not crash.
        position: where a task was preempted.
        seconds: how long the boot took.

    Raises:
        UnforcedError: it did not crash, and the guest did not execute every command.
    """
    if not crash:
        if report.failure:
            raise UnforcedError(None, f"the guest failed: {report.failure}")
        _require_results(schedule, report, {number for number, _ in report.results} or {0})
    return BootedRun(position, seconds, crash=crash)


def _require_results(schedule: Schedule, report: GuestReport, attempts: set[int]) -> None:
    """Require that the guest executed every command, with the results of the counterexample."""
    for attempt in attempts:
        for number, command in enumerate(schedule.commands):
            result = report.results.get((attempt, number))
            step = next((s.number for s in schedule.steps if s.command == number), None)
            if result is None or not result.done:
                raise UnforcedError(step, f"the guest did not get to its {command.what}")
            failed, fails = result.value < 0, command.what == "fork-fails"
            error = next((s.row.operation.error for s in schedule.steps if s.number == step), "")
            crashed = schedule.crashes and step == schedule.steps[-1].number
            if failed != (fails or bool(error)) and not crashed:
                how = f"failed with error {result.error}" if failed else "succeeded"
                raise UnforcedError(step, f"{command.what} of the guest {how}")


def _reads(schedule: Schedule, report: GuestReport, attempt: int) -> list[PortRead]:
    """Return the INs of the harmless ports that are among the wrong ones."""
    result, wrong = report.results[attempt, schedule.judged], wrong_ports(schedule)
    return [
        PortRead(port, width, bool(result.passed >> number & 1), result.values[number])
        for number, (port, width) in enumerate(HARMLESS_PORTS)
        if wrong >> number & 1
    ]


def wrong_ports(schedule: Schedule) -> int:
    """Return which of the harmless ports are wrong with all their bytes: a bit for each."""
    ports = mask(schedule.violation.ports)
    return sum(
        1 << number
        for number, (port, width) in enumerate(HARMLESS_PORTS)
        if ports >> port & (1 << width) - 1 == (1 << width) - 1
    )


def tss_shows(schedule: Schedule, tss: SeenTss) -> bool:
    """Return whether a TSS has the fault of the counterexample: all of its ports are wrong."""
    violation = schedule.violation
    allowed, granted = mask(tss.allowed), mask(violation.granted)
    wrong = allowed & ~granted if violation.kind == "leak" else granted & ~allowed
    return not mask(violation.ports) & ~wrong
