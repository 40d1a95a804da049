"""Which functions of the host must not be called with preemption or interrupts off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.kernel.execution.host.allocations import ALLOCATIONS, may_sleep
from iopermit.kernel.execution.host.functions import FREES

if TYPE_CHECKING:
    from collections.abc import Sequence


def why_sleeping(called: str, arguments: Sequence[int], *, real_time: bool) -> str:
    """Return in words why a call must not be made in atomic context; empty if it may be.

    The allocator of PREEMPT_RT takes sleeping locks, whatever the flags, and so does what frees
    (Documentation/core-api/real-time/differences.rst, "Memory allocation").

    Args:
        called: the function.
        arguments: its arguments.
        real_time: whether the kernel has PREEMPT_RT.
    """
    if called in ALLOCATIONS and may_sleep(called, arguments):
        return "an allocation that may sleep"
    if not real_time:
        return ""
    if called in ALLOCATIONS:
        return "an allocation, which takes sleeping locks with PREEMPT_RT"
    # kfree(NULL) returns before it takes any.
    frees = called in FREES and arguments[0]
    return f"{called}(), which takes sleeping locks with PREEMPT_RT" if frees else ""
