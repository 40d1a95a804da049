"""Tests of what tells full-size states apart."""

from tests.support.system.driving import ALL_ON, finish, make
from tests.support.system.tiny_design import Tiny

from iopermit.designs import find
from iopermit.search.counterexample.fingerprint import fingerprint
from iopermit.system.execution import action


def test_a_state_that_comes_again_is_the_same() -> None:
    """Opening a port and closing it again leads back; the open port tells the states apart."""
    system = make(find("linux-2.6.8"))
    opened = action(0, "ioperm", first=0, end=1, turn_on=1)
    finish(system, opened)
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=0))
    closed = fingerprint(system)
    finish(system, opened)
    assert fingerprint(system) != closed
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=0))
    assert fingerprint(system) == closed


def test_numbers_count_by_which_are_equal() -> None:
    """A sequence number that is a new one everywhere makes no other state."""
    system = make(find("linux-5.5"), tasks=1)
    finish(system, ALL_ON)
    before = fingerprint(system)
    task, tss = system.threads[0].record, system.processors[0].tss
    numbers = [task.io_bitmap.sequence, tss.prev_sequence]
    finish(system, ALL_ON)
    assert [task.io_bitmap.sequence, tss.prev_sequence] != numbers
    assert fingerprint(system) == before
    tss.prev_sequence = 999
    assert fingerprint(system) != before


def test_freed_memory_has_an_address_only() -> None:
    """A pointer to a freed object counts as where it points to, and nothing in it is read."""
    system = make(Tiny)
    finish(system, ALL_ON)
    held = next(iter(system.pools.values())).objects[0]
    before = fingerprint(system)
    next(iter(system.pools.values())).release(held)
    after = fingerprint(system)
    assert after != before
    assert after == fingerprint(system)
