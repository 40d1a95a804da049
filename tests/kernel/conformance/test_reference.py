"""The rules of ioperm(2) and iopl(2) that single calls are compared with."""

from __future__ import annotations

import pytest

from iopermit.kernel.conformance.reference import EINVAL, ENOMEM, EPERM, ReferenceTask

MOST = 1 << 64


def ioperm(task: ReferenceTask, first: int, count: int, turn_on: int = 1) -> int:
    """Make a call that nothing hinders."""
    return task.ioperm(first, count, turn_on, locked=False, fails=False)


@pytest.mark.parametrize(
    ("first", "count", "error"),
    [
        (0, 65536, 0),
        (65535, 1, 0),
        (65535, 2, EINVAL),
        (65536, 1, EINVAL),
        (5, 0, EINVAL),
        (MOST - 1, 2, EINVAL),
        (MOST - 64, 128, EINVAL),
        (1 << 32, 1, EINVAL),
        (5, (1 << 32) + 1, EINVAL),
    ],
)
def test_a_range_has_to_end_at_the_last_port_and_not_wrap(
    first: int, count: int, error: int
) -> None:
    """The sum is taken in 64 bits, and an empty range is none."""
    assert ioperm(ReferenceTask(), first, count) == error


def test_every_value_but_zero_opens() -> None:
    """`turn_on` is an int: the upper half of the register does not count."""
    task = ReferenceTask()
    for on in (1, 2, MOST - 1):
        assert ioperm(task, 3, 1, on) == 0
        assert task.allowed == 1 << 3
        assert ioperm(task, 3, 1, 1 << 32) == 0
        assert task.allowed == 0


def test_errors_have_an_order() -> None:
    """A bad range is EINVAL for everybody; only then privilege counts, and memory last."""
    task = ReferenceTask(privileged=False)
    assert task.ioperm(0, 0, 1, locked=True, fails=True) == EINVAL
    assert task.ioperm(0, 1, 1, locked=False, fails=True) == EPERM
    task.privileged = True
    assert task.ioperm(0, 1, 1, locked=True, fails=True) == EPERM
    assert task.ioperm(0, 1, 1, locked=False, fails=True) == ENOMEM
    assert task.ioperm(0, 1, 0, locked=True, fails=False) == 0
    assert task.allowed == 0


def test_a_level_can_be_kept_and_lowered_without_privilege() -> None:
    """Raising it needs CAP_SYS_RAWIO; only level 3 opens ports; the argument has 32 bits."""
    task = ReferenceTask()
    assert task.iopl(4, locked=False) == EINVAL
    assert task.iopl((1 << 32) + 3, locked=False) == 0
    assert task.allowed == (1 << 65536) - 1
    task.privileged = False
    assert [task.iopl(level, locked=False) for level in (3, 2, 3)] == [0, 0, EPERM]
    assert (task.level, task.allowed) == (2, 0)


def test_a_child_inherits_and_then_goes_its_own_way() -> None:
    """Ports and level are copied, not shared."""
    parent = ReferenceTask()
    ioperm(parent, 8, 8)
    child = parent.child()
    ioperm(child, 8, 8, 0)
    assert (parent.allowed, child.allowed) == (0xFF00, 0)
