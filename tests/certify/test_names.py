"""Tests that states get the same key exactly if they differ in names only."""

import numpy as np
import pytest

from iopermit.certify.initial import initial_state
from iopermit.certify.kernel import Kernel, build
from iopermit.certify.names import Names
from iopermit.certify.state import Table
from iopermit.designs import find
from iopermit.system.scenario import Scenario


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    """Return a design with heap objects and sequence numbers, two tasks and two CPUs."""
    return build(find("linux-6.16"), Scenario(2, 2, 1))


def keys(kernel: Kernel, table: Table, *, symmetry: bool = True, numbers: bool = True) -> list[int]:
    """Return the keys of states as numbers."""
    widths = dict.fromkeys(range(kernel.layout.width), 9)
    names = Names(kernel, widths, symmetry=symmetry, numbers=numbers)
    words, lost = names.keys(table)
    assert not lost.any()
    return [int.from_bytes(row.tobytes(), "little") for row in words]


def put(kernel: Kernel, table: Table, record: str, name: str, slot: int, value: int) -> None:
    """Write a field in every state of a table."""
    table[:, kernel.layout[record, name].at(slot)] = value


def with_map(kernel: Kernel, task: int, slot: int, number: int) -> Table:
    """Return a state in which a task has a map, in some slot and with some sequence number."""
    table = initial_state(kernel)
    put(kernel, table, "task", "io_bitmap", task, slot + 1)
    for name, value in (("in_use", 1), ("refcnt", 1), ("sequence", number)):
        put(kernel, table, "IoBitmap", name, slot, value)
    return table


def test_slots_of_objects_and_values_of_numbers_do_not_matter(kernel: Kernel) -> None:
    """Where an object lies, and which number it has, make no difference."""
    same = [with_map(kernel, 0, slot, number) for slot, number in ((0, 1), (2, 1), (3, 7))]
    assert len(set(keys(kernel, np.concatenate(same)))) == 1
    assert len(set(keys(kernel, np.concatenate(same), numbers=False))) == 2
    assert len(set(keys(kernel, np.concatenate(same), symmetry=False))) == 3


def test_equal_numbers_stay_equal(kernel: Kernel) -> None:
    """A TSS that has the number of a map is told apart from one that has another."""
    table = with_map(kernel, 0, 0, 4)
    put(kernel, table, "tss", "prev_sequence", 0, 4)
    other = with_map(kernel, 0, 0, 4)
    put(kernel, other, "tss", "prev_sequence", 0, 5)
    assert len(set(keys(kernel, np.concatenate([table, other])))) == 2


def test_tasks_and_cpus_do_not_matter(kernel: Kernel) -> None:
    """Which of two tasks has a map makes no difference if its CPU is exchanged, too."""
    tables = np.concatenate([with_map(kernel, task, 0, 1) for task in (0, 1)])
    assert len(set(keys(kernel, tables))) == 1
    stale = tables.copy()
    stale[0, kernel.layout["tss", "bitmap"].at(0)] = 0
    stale[1, kernel.layout["tss", "bitmap"].at(1)] = 0
    assert len(set(keys(kernel, stale))) == 1
    crossed = tables.copy()
    crossed[:, kernel.layout["tss", "bitmap"].at(0)] = 0
    assert len(set(keys(kernel, crossed))) == 2


def test_sharing_matters(kernel: Kernel) -> None:
    """Two tasks with one map are told apart from two tasks with a map each."""
    shared = with_map(kernel, 0, 0, 1)
    put(kernel, shared, "task", "io_bitmap", 1, 1)
    apart = with_map(kernel, 0, 0, 1)
    put(kernel, apart, "task", "io_bitmap", 1, 2)
    for name, value in (("in_use", 1), ("refcnt", 1), ("sequence", 1)):
        put(kernel, apart, "IoBitmap", name, 1, value)
    assert len(set(keys(kernel, np.concatenate([shared, apart])))) == 2


def test_value_that_does_not_fit_is_told(kernel: Kernel) -> None:
    """A state with a value that the certificate has no room for is never taken for a member."""
    names = Names(kernel, dict.fromkeys(range(kernel.layout.width), 2), symmetry=True, numbers=True)
    table = with_map(kernel, 0, 0, 1)
    put(kernel, table, "IoBitmap", "refcnt", 0, 4)
    assert names.keys(table)[1].all()
