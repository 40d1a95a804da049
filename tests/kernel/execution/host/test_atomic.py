"""What must not be called with preemption or interrupts off, by function, flags and kernel."""

from __future__ import annotations

import pytest
from tests.support.kernel.planted.corpus import CORPUS
from tests.support.kernel.planted.running import complaint, outcome_of
from tests.support.kernel.trees import VERSIONS

from iopermit.kernel.execution.host.atomic import why_sleeping

GFP_KERNEL, GFP_ATOMIC = 0xCC0, 0x820


@pytest.mark.parametrize(
    ("called", "arguments", "usual", "real_time"),
    [
        ("__kmalloc", (8, GFP_KERNEL), "may sleep", "may sleep"),
        ("__kmalloc", (8, GFP_ATOMIC), "", "sleeping locks"),
        ("kmemdup", (4096, 8, GFP_KERNEL), "may sleep", "may sleep"),
        ("kmemdup", (4096, 8, GFP_ATOMIC), "", "sleeping locks"),
        ("kfree", (4096,), "", "kfree(), which takes sleeping locks"),
        ("kfree", (0,), "", ""),
        ("capable", (17,), "", ""),
    ],
)
def test_real_time_kernels_forbid_more(
    called: str, arguments: tuple[int, ...], usual: str, real_time: str
) -> None:
    """With PREEMPT_RT nothing can be allocated or freed there; else what waits cannot be."""
    for wanted, has_rt in ((usual, False), (real_time, True)):
        why = why_sleeping(called, arguments, real_time=has_rt)
        assert wanted in why
        assert bool(why) == bool(wanted)


@pytest.mark.parametrize("name", ["allocates-in-real-time", "allocates-with-preemption-off"])
def test_an_allocation_without_waiting_is_wrong_in_real_time_only(name: str) -> None:
    """The same edit of the same tree is a crash with PREEMPT_RT, and holds without."""
    fault = CORPUS[name]
    assert complaint(fault, outcome_of(fault, VERSIONS[-1])) == ""
