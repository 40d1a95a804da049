"""A task is held as long as somebody may come, and no longer."""

from __future__ import annotations

import pytest

from iopermit.reproduce.errors import UnforcedError
from iopermit.reproduce.hold import LONGEST, PATIENCE, Hold


def test_a_kernel_that_does_not_preempt_is_found_out() -> None:
    """Another task waits for the CPU, tick after tick, and nothing happens: the step is named."""
    hold = Hold(2, "function+0x1", began=1000)
    for tick in range(1000, 1010):
        hold.again(tick, waits=False)
    for tick in range(1010, 1011 + PATIENCE):
        hold.again(tick, waits=True)
    with pytest.raises(UnforcedError, match="never preempted there: held before") as error:
        hold.again(1011 + PATIENCE, waits=True)
    assert error.value.step == 2
    assert f"for {PATIENCE + 1} ticks" in str(error.value)
    assert hold.times == 1 + 10 + PATIENCE + 2


def test_who_only_waits_at_times_waits_anew() -> None:
    """A task that got the CPU in between has not waited since: the kernel does preempt."""
    hold = Hold(2, "function+0x1", began=0)
    for tick in range(5 * PATIENCE):
        hold.again(tick, waits=tick % PATIENCE != 0)
    assert not hold.in_vain


def test_nobody_comes() -> None:
    """Where no other task ever wants the CPU, it is held in vain after a while."""
    hold = Hold(2, "function+0x1", began=0)
    hold.again(LONGEST, waits=False)
    assert not hold.in_vain
    hold.again(LONGEST + 1, waits=False)
    assert hold.in_vain
