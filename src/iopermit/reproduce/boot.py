"""One boot of a kernel: the schedule is forced in it once, and judged."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.report.reproduction.facts import BootedRun, FreeRun, PreemptionPoint
from iopermit.reproduce.console import LOG_LEVEL, crash_in, has_place
from iopermit.reproduce.debugger.kernel import StoppedKernel
from iopermit.reproduce.debugger.remote import DebuggerError, RemoteDebugger
from iopermit.reproduce.debugger.symbols import SymbolTable
from iopermit.reproduce.emulated_machine import EmulatedMachine, GuestSilentError
from iopermit.reproduce.errors import ReproduceError, UnforcedError
from iopermit.reproduce.forcing import ENTRIES, NEVER_HAPPENED, SWITCHED, Forcer
from iopermit.reproduce.guest.commands import GuestProgram, LeftAlone
from iopermit.reproduce.guest.telling import GuestReport, report_of
from iopermit.reproduce.judgement import judged, judged_by_console, wrong_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.reproduce.attempt import Attempt
    from iopermit.reproduce.guest.program import CompiledGuest
    from iopermit.reproduce.image.kernel_image import KernelImage
    from iopermit.reproduce.schedule import Schedule

SYMBOLS: Final = (
    # The first one's neighbours are told, too: what it is inlined into.
    *("task_update_io_bitmap", *ENTRIES.values(), SWITCHED),
    *("current_task", "__preempt_count", "pcpu_hot", "jiffies_64"),
)

_READY: Final = "READY"
"""What the guest tells when it waits to begin."""
_PLACE_SECONDS: Final = 10
"""For which the rest of what a kernel tells of a crash is waited for."""


@dataclass(frozen=True)
class Bootable:
    """A kernel and what it is booted with."""

    image: KernelImage
    guest: CompiledGuest
    options: str
    """Options of the kernel."""
    seconds: float
    """After which a guest that is silent is given up."""


def boot(
    bootable: Bootable, schedule: Schedule, position: PreemptionPoint
) -> tuple[BootedRun, GuestReport]:
    """Boot a kernel, force a schedule once, and return what was seen.

    Raises:
        ReproduceError: the kernel does not boot, or QEMU is missing.
    """
    began = time.monotonic()
    tasks = tuple(schedule.tasks.values())
    program = GuestProgram(tasks, tuple(schedule.commands), SYMBOLS)
    files = bootable.guest.file_system(program)
    options = f"{bootable.options} {LOG_LEVEL}" if schedule.crashes else bootable.options
    with EmulatedMachine(bootable.image.file, files, options, cpus=schedule.cpus) as machine:
        _wait_until_ready(machine, bootable)
        try:
            if schedule.crashes:
                crash = _crash(machine, bootable.seconds)
                report, seconds = report_of(machine.lines), time.monotonic() - began
                return judged_by_console(schedule, report, crash, position, seconds), report
            attempt = _forced(machine, bootable, schedule, position)
            machine.wait_for(lambda line: line == "END", bootable.seconds)
            report = report_of(machine.lines)
            run = judged(schedule, report, attempt, position, time.monotonic() - began)
        except (UnforcedError, DebuggerError, GuestSilentError) as error:
            step = error.step if isinstance(error, UnforcedError) else None
            reason = _reason(machine, error)
            seconds = time.monotonic() - began
            run = BootedRun(position, seconds, unforced=reason, unforced_step=step)
            report = report_of(machine.lines)
    return run, report


def boot_free(
    bootable: Bootable, schedule: Schedule, attempts: int, tell: Callable[[str], None]
) -> tuple[FreeRun, GuestReport]:
    """Boot a kernel, let the guest's tasks alone many times, and count how often the fault shows.

    Args:
        bootable: the kernel.
        schedule: what the tasks do; nothing of it is forced.
        attempts: how often they do it.
        tell: is told, in words, how far it is.

    Raises:
        ReproduceError: the kernel does not boot, or QEMU is missing.
        UnforcedError: no harmless port is among the wrong ones, or the guest did not get to its
            end.
    """
    alone = LeftAlone(attempts, wrong_ports(schedule), schedule.violation.kind == "leak")
    if schedule.crashes or not alone.ports:
        raise UnforcedError(None, "no harmless port is among the wrong ones")
    began = time.monotonic()
    program = GuestProgram(
        tuple(schedule.tasks.values()), tuple(schedule.commands), SYMBOLS, alone=alone
    )
    files, image = bootable.guest.file_system(program), bootable.image.file
    with EmulatedMachine(image, files, bootable.options, cpus=schedule.cpus) as machine:
        _wait_until_ready(machine, bootable)
        machine.say("go")
        try:
            _follow(machine, bootable.seconds, tell)
        except GuestSilentError as error:
            raise UnforcedError(None, _reason(machine, error)) from error
        report = report_of(machine.lines)
    done, hits = report.alone
    if not done:
        raise UnforcedError(None, report.failure or "no attempt came to its end")
    return FreeRun(done, hits, time.monotonic() - began), report


def _follow(machine: EmulatedMachine, seconds: float, tell: Callable[[str], None]) -> None:
    """Wait for the end, as long as the guest tells now and then how far it is."""
    start = machine.lines.index(_READY) + 1
    while "END" not in machine.lines[start:]:
        before = len(machine.lines)
        machine.wait_for(lambda _: len(machine.lines) > before, seconds)  # noqa: B023 - called here
        done, hits = report_of(machine.lines[before:]).alone
        if done:
            tell(f"{done:,} attempts, {hits:,} hits")


def _wait_until_ready(machine: EmulatedMachine, bootable: Bootable) -> None:
    try:
        machine.wait_for(lambda line: line == _READY, bootable.seconds)
    except GuestSilentError as error:
        raise ReproduceError(
            f"{bootable.image.file} did not boot in QEMU: it {error}\n  it needs a serial console "
            "and an initramfs (CONFIG_SERIAL_8250_CONSOLE, CONFIG_BLK_DEV_INITRD, CONFIG_TTY)"
        ) from error


def _crash(machine: EmulatedMachine, seconds: float) -> str:
    """Let the guest execute the schedule; return what the console tells of a crash, or nothing.

    Nothing has to be held, so the debugger is not even asked. What the kernel told while it booted
    is of no interest.
    """
    start = machine.lines.index(_READY) + 1
    machine.say("go")
    machine.wait_for(lambda line: line == "END" or bool(crash_in(machine.lines[start:])), seconds)
    if crash_in(machine.lines[start:]):
        with contextlib.suppress(GuestSilentError):
            machine.wait_for(lambda _: has_place(machine.lines[start:]), _PLACE_SECONDS)
    return crash_in(machine.lines[start:])


def _reason(machine: EmulatedMachine, error: Exception) -> str:
    """Return why a schedule was not forced."""
    if isinstance(error, UnforcedError):
        return str(error)
    with contextlib.suppress(GuestSilentError):
        machine.wait_for(lambda line: line == "END", 1)
    report = report_of(machine.lines)
    if report.failure:
        return f"the guest failed: {report.failure}"
    if report.ended:
        return NEVER_HAPPENED
    if isinstance(error, GuestSilentError):
        return f"the guest {error}"
    return f"{error}; the console ended with:\n{machine.console_end()}"


def _forced(
    machine: EmulatedMachine, bootable: Bootable, schedule: Schedule, position: PreemptionPoint
) -> Attempt | None:
    """Let the guest begin, and force the schedule; None if it is left to itself."""
    debugger = RemoteDebugger(machine.debugger, bootable.seconds)
    if position is PreemptionPoint.NOWHERE:
        machine.say("go")
        return None
    debugger.interrupt()
    symbols = SymbolTable(report_of(machine.lines).symbols)
    kernel = StoppedKernel(debugger, bootable.image.layout, symbols)
    forcer = Forcer(kernel, schedule, bootable.guest.in_byte)
    machine.say("go")
    window = forcer.rehearse()
    attempt = forcer.force(window, position)
    debugger.detach()
    return attempt
