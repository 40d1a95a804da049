"""Tests of iopermit.scale.states.state_file: what was appended comes back, or is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from iopermit.scale.errors import CheckpointError
from iopermit.scale.states.state_file import StateFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WORDS = 3


def states(first: int, last: int) -> NDArray[np.uint64]:
    """Return states that are numbered through."""
    return np.arange(first * WORDS, last * WORDS, dtype=np.uint64).reshape(-1, WORDS)


def content(file: StateFile, first: int, last: int, block: int = 4) -> list[list[int]]:
    """Read some states in blocks."""
    room = np.empty((block, WORDS), np.uint64)
    return [row for each in file.blocks(first, last, room) for row in each.tolist()]


def test_what_was_appended_is_read(tmp_path: Path) -> None:
    """Blocks of any size have the states in the order in which they were appended."""
    file = StateFile(tmp_path / "file", WORDS)
    file.append(states(0, 5))
    file.append(states(5, 5))
    file.append(states(5, 11))
    assert file.count == 11
    assert content(file, 0, 11) == states(0, 11).tolist()
    assert content(file, 3, 9, block=1) == states(3, 9).tolist()
    assert file.read_bytes == 17 * WORDS * 8


def test_what_came_behind_a_mark_is_forgotten(tmp_path: Path) -> None:
    """Opened anew, a file has the states of its mark, and goes on behind them."""
    file = StateFile(tmp_path / "file", WORDS)
    file.append(states(0, 4))
    file.forget()
    file.append(states(4, 9))
    mark = file.mark()
    file.append(states(9, 12))
    file.close()
    again = StateFile(tmp_path / "file", WORDS)
    restored = [row for block in again.restore(mark) for row in block.tolist()]
    assert restored == states(4, 9).tolist()
    again.append(states(20, 21))
    assert content(again, 4, 10) == [*states(4, 9).tolist(), *states(20, 21).tolist()]
    assert again.pending == 6


def test_a_file_that_shrinks_is_told(tmp_path: Path) -> None:
    """Reading behind the end of a file that something else has cut off is no end of the states."""
    file = StateFile(tmp_path / "file", WORDS)
    file.append(states(0, 4))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CheckpointError, match="is shorter than it was"):
        content(file, 0, 4)
