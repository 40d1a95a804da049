"""Facts of reproductions, made up."""

from __future__ import annotations

from dataclasses import replace

from tests.support.reproduce.counterexamples import counterexample

from iopermit.engine.trace import SelectedMap
from iopermit.report.reproduction.facts import (
    BootedKernel,
    BootedRun,
    Observation,
    PortRead,
    PreemptionPoint,
    RepairedKernel,
    Reproduction,
    SeenTss,
)

OPEN = SeenTss(0x78, 0x4087, SelectedMap.VALID, ((0, 65535),))
CLOSED = SeenTss(0x4088, 0x4087, SelectedMap.PAST_LIMIT, ())
READS = ((0x80, 1, 0xFF), (0x71, 1, 0x13), (0xCF8, 4, 0x80000B0C))


def booted(point: PreemptionPoint, *, shown: bool) -> BootedRun:
    """Return a run in which everything was forced, and which shows the fault or does not."""
    tss = OPEN if shown else CLOSED
    observed = (
        Observation(2, "task_update_io_bitmap+0x31", 0, "A", OPEN, holds=281),
        Observation(3, "finish_task_switch+0x0", 0, "B", tss),
        Observation(4, "IN of the task", 0, "B", tss),
    )
    reads = tuple(PortRead(port, width, shown, value * shown) for port, width, value in READS)
    nowhere = point is PreemptionPoint.NOWHERE
    return BootedRun(point, 5.84, () if nowhere else observed, shown, reads, shown)


def unforced(point: PreemptionPoint, reason: str = "never preempted there") -> BootedRun:
    """Return a run in which the second step could not be forced."""
    return BootedRun(point, 6.0, unforced=reason, unforced_step=2)


RUN = booted(PreemptionPoint.WINDOW, shown=True)
CONTROLS = tuple(
    booted(point, shown=False) for point in PreemptionPoint if point is not PreemptionPoint.WINDOW
)


KERNEL = BootedKernel(
    "/boot/vmlinuz", "", "Linux version 6.1.0", "preempt=full", "none (full)", "QEMU 7.2"
)


def repaired(*, shown: bool) -> RepairedKernel:
    """Return the control on a kernel with a repair."""
    kernel = replace(KERNEL, built_from="linux + fix.patch")
    return RepairedKernel(kernel, booted(PreemptionPoint.WINDOW, shown=shown))


def reproduction() -> Reproduction:
    """Return a reproduction of the preemption leak, with its controls."""
    return Reproduction(
        counterexample("linux-6.16", "ioperm,preempt"),
        "reproduced",
        "",
        KERNEL,
        (RUN, replace(RUN, seconds=6.16)),
        CONTROLS,
        ("a call", "held", "waits", "follows"),
        "uid 1000 CapEff 0000000000000000",
    )
