"""What follows from runs and controls, and what is told without any boot."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.reproduce.counterexamples import counterexample
from tests.support.reproduce.reproductions import CONTROLS, RUN, booted, unforced

from iopermit.engine.verdict import KernelSubject
from iopermit.report.reproduction.facts import PreemptionPoint
from iopermit.reproduce.reproduction import concluded, unforceable

if TYPE_CHECKING:
    from iopermit.report.reproduction.facts import BootedRun

NOT_SHOWN = booted(PreemptionPoint.WINDOW, shown=False)
UNFORCED = unforced(PreemptionPoint.WINDOW)


@pytest.mark.parametrize(
    ("runs", "controls", "outcome", "reason"),
    [
        ((RUN,), CONTROLS, "reproduced", ""),
        ((UNFORCED, RUN), CONTROLS, "reproduced", ""),
        ((NOT_SHOWN, NOT_SHOWN), CONTROLS, "not reproduced", ""),
        (
            (NOT_SHOWN, UNFORCED),
            CONTROLS,
            "undetermined",
            "step 2 cannot be forced: never preempted there",
        ),
        (
            (RUN,),
            (booted(PreemptionPoint.BEFORE, shown=True), *CONTROLS[1:]),
            "undetermined",
            "the control “before” showed the fault, too",
        ),
        (
            (RUN,),
            (*CONTROLS[:1], unforced(PreemptionPoint.AFTER), *CONTROLS[2:]),
            "undetermined",
            "the control “after”: the schedule cannot be forced: never preempted there",
        ),
        (
            (replace(RUN, guest_shows=False),),
            CONTROLS,
            "undetermined",
            "the TSS has the fault, but the task did not notice it",
        ),
        (
            (replace(RUN, tss_shows=False),),
            CONTROLS,
            "undetermined",
            "the task noticed the fault, but the TSS does not have it",
        ),
        ((replace(RUN, guest_shows=None, reads=()),), CONTROLS, "reproduced", ""),
    ],
)
def test_what_follows(
    runs: tuple[BootedRun, ...], controls: tuple[BootedRun, ...], outcome: str, reason: str
) -> None:
    """Reproduced means: in the TSS, and to the task where it can try, and in no control."""
    assert concluded(runs, controls) == (outcome, reason)


def test_a_control_that_only_one_of_both_shows_is_not_clean() -> None:
    """A control is clean only if neither the TSS nor the task shows anything."""
    clean = booted(PreemptionPoint.BEFORE, shown=False)
    assert clean.clean
    assert not replace(clean, tss_shows=True).clean
    assert not replace(clean, guest_shows=True).clean
    assert not replace(clean, unforced="why").clean


def test_what_cannot_be_forced_is_known_without_a_kernel() -> None:
    """A fault that cannot be judged is undetermined at once, and says why."""
    found = unforceable(counterexample("linux-5.4", "ioperm,io-thread,exit"))
    assert found is not None
    assert found.outcome == "undetermined"
    assert "no call of the guest makes such a thread of the kernel" in found.reason
    assert (found.kernel, found.runs, found.controls) == (None, (), ())
    assert unforceable(counterexample("linux-6.16", "ioperm,preempt")) is None


@pytest.mark.parametrize(
    ("repaired", "outcome", "reason"),
    [
        (NOT_SHOWN, "reproduced", ""),
        (RUN, "undetermined", "the kernel with the repair showed the fault, too"),
        (
            UNFORCED,
            "undetermined",
            "the kernel with the repair: the schedule cannot be forced: never preempted there",
        ),
    ],
)
def test_a_repaired_kernel_is_a_control(repaired: BootedRun, outcome: str, reason: str) -> None:
    """A fault that shows on the kernel with the repair, too, is not the one that was found."""
    assert concluded((RUN,), CONTROLS, repaired) == (outcome, reason)


def test_a_xen_guest_is_not_booted() -> None:
    """A counterexample of a Xen PV guest says nothing about a kernel without the hypervisor."""
    verdict = counterexample("linux-6.16", "ioperm,preempt")
    native = KernelSubject("linux", (), "6.12", "gcc", "key", configuration="full")
    assert unforceable(replace(verdict, kernel=native)) is None
    found = unforceable(replace(verdict, kernel=replace(native, configuration="xen")))
    assert found is not None
    assert found.outcome == "undetermined"
    assert "the hypervisor, which is not booted" in found.reason
