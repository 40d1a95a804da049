"""Reproduces a counterexample: several boots, the controls, and what follows from them."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from iopermit.report.reproduction.facts import (
    BootedKernel,
    BootedRun,
    Outcome,
    PreemptionPoint,
    RepairedKernel,
    Reproduction,
)
from iopermit.reproduce.boot import Bootable, boot, boot_free
from iopermit.reproduce.emulated_machine import find_qemu
from iopermit.reproduce.errors import ReproduceError, UnforcedError
from iopermit.reproduce.guest.program import compile_guest
from iopermit.reproduce.schedule import schedule_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.engine.verdict import Verdict
    from iopermit.reproduce.guest.telling import GuestReport
    from iopermit.reproduce.image.kernel_image import KernelImage
    from iopermit.reproduce.schedule import Schedule

CONTROLS: Final = (PreemptionPoint.BEFORE, PreemptionPoint.AFTER, PreemptionPoint.NOWHERE)


@dataclass(frozen=True)
class Wanted:
    """What is to be booted, and how often."""

    image: KernelImage
    options: str = ""
    """Options of the kernel, beside those that the console needs."""
    runs: int = 1
    seconds: float = 120
    """After which a guest that is silent is given up."""
    controls: bool = True
    repaired: Callable[[], KernelImage] | None = None
    """Gives the kernel with a repair, if there is one: it may have to be built first."""


def unforceable(verdict: Verdict) -> Reproduction | None:
    """Return what is said of a counterexample that cannot be forced on any kernel, or None."""
    assert verdict.violation is not None  # the caller looks
    try:
        _schedule(verdict)
    except UnforcedError as error:
        reason = _cannot(error.step, str(error))
        return Reproduction(verdict, "undetermined", reason, None, (), ())
    return None


def reproduce(verdict: Verdict, wanted: Wanted, tell: Callable[[str], None]) -> Reproduction:
    """Execute a counterexample on a booted kernel.

    Args:
        verdict: a violation, with a schedule that can be forced.
        wanted: the kernel, and how often it is booted.
        tell: is told what is done next, in words.

    Raises:
        ReproduceError: a tool is missing, or the kernel does not boot.
    """
    violation = verdict.violation
    assert violation is not None  # the caller looks
    schedule = _schedule(verdict)
    bootable = Bootable(wanted.image, compile_guest(), wanted.options, wanted.seconds)
    boots = _Boots(bootable, schedule, tell)
    runs = tuple(boots.boot(PreemptionPoint.WINDOW) for _ in range(wanted.runs))
    assert boots.told is not None  # else the first boot has raised
    kernel = _kernel(wanted.image, boots.told)
    credentials = boots.told.credentials.get(violation.task, "")
    controls: tuple[BootedRun, ...] = ()
    repaired = None
    # They are what makes a proof of a run that shows the fault; without one they say nothing.
    if wanted.controls and any(run.shown for run in runs):
        if schedule.preempted is not None:
            controls = tuple(boots.boot(position) for position in CONTROLS)
        if wanted.repaired is not None:
            repaired = _on_repaired(wanted.repaired(), boots)
    outcome, reason = concluded(runs, controls, None if repaired is None else repaired.run)
    forced_by = tuple(step.forcing.value for step in schedule.steps)
    return Reproduction(
        verdict, outcome, reason, kernel, runs, controls, forced_by, credentials, repaired
    )


def reproduce_free(
    verdict: Verdict, wanted: Wanted, attempts: int, tell: Callable[[str], None]
) -> Reproduction:
    """Let the tasks of a counterexample alone on a booted kernel, and count.

    Args:
        verdict: a violation, with a schedule that can be forced.
        wanted: the kernel.
        attempts: how often the tasks do what they do in the schedule.
        tell: is told what is done next, in words.

    Raises:
        ReproduceError: a tool is missing, or the kernel does not boot.
    """
    assert verdict.violation is not None  # the caller looks
    schedule = _schedule(verdict)
    bootable = Bootable(wanted.image, compile_guest(), wanted.options, wanted.seconds)
    tell(f"boots {wanted.image.file.name}: nothing is forced")
    try:
        free, told = boot_free(bootable, schedule, attempts, tell)
    except UnforcedError as error:
        return Reproduction(verdict, "undetermined", str(error), None, (), ())
    credentials = told.credentials.get(verdict.violation.task, "")
    return Reproduction(
        verdict,
        "reproduced" if free.hits else "not reproduced",
        "",
        _kernel(wanted.image, told),
        (),
        (),
        credentials=credentials,
        free=free,
    )


def _schedule(verdict: Verdict) -> Schedule:
    """Return a counterexample as steps to force.

    Raises:
        UnforcedError: a step cannot be forced, or the fault is one of another machine.
    """
    if verdict.kernel is not None and verdict.kernel.configuration == "xen":
        raise UnforcedError(None, "a Xen PV guest needs the hypervisor, which is not booted")
    assert verdict.violation is not None  # the caller looks
    return schedule_of(verdict.trace or (), verdict.violation)


def _on_repaired(image: KernelImage, boots: _Boots) -> RepairedKernel:
    """Force the same schedule on a kernel with a repair.

    Raises:
        ReproduceError: it does not boot.
    """
    bootable = replace(boots.bootable, image=image)
    own = _Boots(bootable, boots.schedule, boots.tell, "control, with the repair")
    run = own.boot(PreemptionPoint.WINDOW)
    assert own.told is not None  # else the boot has raised
    return RepairedKernel(_kernel(image, own.told), run)


def concluded(
    runs: tuple[BootedRun, ...],
    controls: tuple[BootedRun, ...],
    repaired: BootedRun | None = None,
) -> tuple[Outcome, str]:
    """Return what runs and controls show, and why it is undetermined if it is.

    Args:
        runs: the schedule, each time on a kernel of its own.
        controls: the same, preempted elsewhere or nowhere.
        repaired: the schedule on a kernel with a repair, if there is one.
    """
    unforced = next((run for run in runs if not run.forced), None)
    if any(run.shown for run in runs):
        named = [(f"the control “{run.position.value}”", run) for run in controls]
        if repaired is not None:
            named.append(("the kernel with the repair", repaired))
        stained = next((each for each in named if not each[1].clean), None)
        if stained is None:
            return "reproduced", ""
        what = " showed the fault, too"
        if not stained[1].forced:
            what = f": {_cannot(None, stained[1].unforced)}"
        return "undetermined", f"{stained[0]}{what}"
    if unforced is not None:
        return "undetermined", _cannot(unforced.unforced_step, unforced.unforced)
    if any(run.tss_shows for run in runs):
        return "undetermined", "the TSS has the fault, but the task did not notice it"
    if any(run.guest_shows for run in runs):
        return "undetermined", "the task noticed the fault, but the TSS does not have it"
    return "not reproduced", ""


def _cannot(step: int | None, reason: str) -> str:
    what = "the schedule" if step is None else f"step {step}"
    return f"{what} cannot be forced: {reason}"


class _Boots:
    def __init__(
        self,
        bootable: Bootable,
        schedule: Schedule,
        tell: Callable[[str], None],
        what: str = "the schedule",
    ) -> None:
        self.bootable, self.schedule, self.tell = bootable, schedule, tell
        self.what = what
        """What a boot with the whole schedule is for, in words."""
        self.told: GuestReport | None = None
        """What the guest of the last boot told."""

    def boot(self, position: PreemptionPoint) -> BootedRun:
        what = _DOING.get(position, self.what)
        self.tell(f"boots {self.bootable.image.file.name}: {what}")
        began = time.monotonic()
        try:
            run, self.told = boot(self.bootable, self.schedule, position)
        except ReproduceError as error:
            if self.told is None:
                raise
            # It has booted before: this is no matter of the kernel.
            return BootedRun(position, time.monotonic() - began, unforced=str(error))
        return run


_DOING: Final = {
    PreemptionPoint.BEFORE: "control, preempted one instruction before",
    PreemptionPoint.AFTER: "control, preempted behind the window",
    PreemptionPoint.NOWHERE: "control, not preempted",
}


def _kernel(image: KernelImage, told: GuestReport) -> BootedKernel:
    done = subprocess.run([find_qemu(), "--version"], capture_output=True, text=True, check=False)
    emulator = done.stdout.partition("\n")[0]
    file = str(image.file.resolve())
    return BootedKernel(
        file, image.built_from, told.version, told.command_line, told.preemption, emulator
    )
