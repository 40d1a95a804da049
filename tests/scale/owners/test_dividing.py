"""Tests of iopermit.scale.owners.dividing: every state in the file of its partition, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from iopermit.scale.errors import CheckpointError
from iopermit.scale.owners import dividing
from iopermit.scale.owners.dividing import DividedStates
from iopermit.scale.partitions import PARTITIONS, partition_of
from iopermit.scale.states.bulk import bulk_functions

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WORDS = 2
BULK = bulk_functions(WORDS)


def states(first: int, last: int) -> NDArray[np.uint64]:
    """Return states that are numbered through."""
    return np.arange(first * WORDS, last * WORDS, dtype=np.uint64).reshape(-1, WORDS)


def of_partition(number: int, some: NDArray[np.uint64]) -> list[list[int]]:
    """Return those of some states that belong to a partition, one looked at after the other."""
    hashes = np.empty(len(some), np.uint64)
    BULK.hash_states(some, hashes)
    each = zip(some.tolist(), hashes.tolist(), strict=True)
    return [state for state, value in each if partition_of(value) == number]


def content(divided: DividedStates, number: int, first: int, last: int) -> list[list[int]]:
    """Read some states of a partition."""
    return [row for block in divided.blocks(number, first, last) for row in block.tolist()]


def test_states_are_divided_by_their_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file has the states of its partition in their order, however many come at once."""
    monkeypatch.setattr(dividing, "_AT_ONCE", 100)
    divided = DividedStates(tmp_path, WORDS, BULK)
    divided.append(states(0, 250))
    divided.end_level()
    divided.append(states(250, 1000))
    divided.end_level()
    divided.append(states(1000, 1100))
    marks = divided.marks([states(250, 600)])
    assert [mark.number for mark in marks] == list(range(PARTITIONS))
    assert sum(mark.states.count for mark in marks) == 1100
    for mark in marks:
        wanted = of_partition(mark.number, states(0, 1100))
        assert content(divided, mark.number, 0, mark.states.count) == wanted
        assert mark.levels == tuple(
            len(of_partition(mark.number, states(0, last))) for last in (250, 1000)
        )
        assert mark.following == len(of_partition(mark.number, states(0, 600)))


def test_what_was_divided_is_read_again(tmp_path: Path) -> None:
    """Opened anew, the files have what counted, and go on behind it; damage is refused."""
    divided = DividedStates(tmp_path, WORDS, BULK)
    divided.append(states(0, 300))
    divided.end_level()
    marks = divided.marks([])
    divided.append(states(300, 400))
    divided.close()
    again = DividedStates(tmp_path, WORDS, BULK)
    for mark in marks:
        again.restore(mark)
    assert again.levels == 1
    again.append(states(500, 600))
    for mark in again.marks([]):
        wanted = of_partition(mark.number, np.concatenate([states(0, 300), states(500, 600)]))
        assert content(again, mark.number, 0, mark.states.count) == wanted
    again.close()
    (tmp_path / "05.states").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"05\.states is truncated"):
        DividedStates(tmp_path, WORDS, BULK).restore(marks[5])
