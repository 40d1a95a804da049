"""Tests of how reports name what the specification finds."""

import numpy as np
import pytest

from iopermit.engine.violation import as_livelock, task_name, violation_of
from iopermit.system.specification import Finding

LEAK = Finding("leak", 1, 0, ((8, 15),), allowed=((8, 15),))
NOTHING = np.zeros(65536, np.bool_)
PORTS = np.zeros(65536, np.bool_)
PORTS[8:20] = True


def test_the_only_task_that_was_granted_leaked_ports_is_named() -> None:
    """A leak names the one other task that has all the ports; with two or none it names nobody."""
    one = violation_of(LEAK, [(0, PORTS), (1, PORTS), (2, NOTHING)], None)
    assert (one.task, one.owner) == ("B", "A")
    assert one.message == "task B may use ports 8-15, which only task A was granted"
    for granted in ([(0, PORTS), (2, PORTS)], [(0, NOTHING)]):
        nobody = violation_of(LEAK, granted, None)
        assert nobody.owner == ""
        assert nobody.message == "task B may use ports 8-15, which it was not granted"


def test_a_gain_without_privilege_is_told_as_such() -> None:
    """The message names the ports and the privilege, whoever else was granted them."""
    found = Finding("leak", 0, 0, ((8, 15),), granted=((1, 1),), without_privilege=True)
    gained = violation_of(found, [(1, PORTS)], None)
    assert gained.message == "task A gained ports 8-15 without CAP_SYS_RAWIO"
    assert (gained.owner, gained.without_privilege) == ("", True)


def test_a_loss_has_no_owner() -> None:
    """That another task has the ports too does not matter for one that lost them."""
    lost = violation_of(Finding("loss", 0, 1, ((8, 8),), granted=((8, 8),)), [(1, PORTS)], None)
    assert (lost.task, lost.cpu, lost.owner) == ("A", 1, "")
    assert lost.message == "task A may not use ports 8, which it was granted"


def test_a_livelock_says_so() -> None:
    """The message of a handler's "again" for ever names the ports that stay refused."""
    found = Finding("loss", 0, 0, ((0, 9),), granted=((0, 9),), livelock=True)
    row = violation_of(found, [], None)
    tail = "which it was granted: the #GP handler says 'again' for ever"
    assert row.message == f"task A may not use ports 0-9, {tail}"
    assert (row.livelock, row.repeats_every) == (True, None)
    shown = as_livelock(row, ((3, 4),), 2)
    assert shown.message == f"task A may not use ports 3-4, {tail}"
    assert (shown.ports, shown.livelock, shown.repeats_every) == (((3, 4),), True, 2)


@pytest.mark.parametrize(
    ("unreachable", "message"),
    [
        (("Block", 1), "nothing refers to Block 1, which is in use"),
        (None, "nothing refers to an object that is in use"),
    ],
)
def test_garbage_belongs_to_no_task(unreachable: tuple[str, int] | None, message: str) -> None:
    """Garbage names the object, if it is known, and no task."""
    violation = violation_of(Finding("garbage", unreachable=unreachable), [], None)
    assert (violation.task, violation.ports, violation.message) == ("", (), message)


def test_tasks_are_letters() -> None:
    """Slot 0 is task A; no slot is a CPU's idle task."""
    assert [task_name(slot) for slot in (0, 2, None)] == ["A", "C", "idle"]
