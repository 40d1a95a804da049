"""Tests that the index says exactly which keys are in a set."""

from pathlib import Path

import numpy as np
import pytest

from iopermit.certify import index
from iopermit.certify.index import Index, sort_keys
from iopermit.certify.names import Keys


def random_keys(count: int, seed: int) -> Keys:
    """Return keys of two words with few different values each."""
    return np.random.default_rng(seed).integers(0, 40, (count, 2)).astype(np.uint64)


@pytest.mark.parametrize("colliding", [False, True], ids=["hashed", "all hashes equal"])
def test_index_knows_its_keys(
    colliding: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key is lacking if and only if it was not put in, whatever the hashes are."""
    if colliding:
        monkeypatch.setattr(index, "hashes", lambda keys: np.zeros(len(keys), np.uint64))
    inside, asked = random_keys(300, 1), random_keys(300, 2)
    sort_keys(inside, tmp_path)
    known = {tuple(key) for key in inside.tolist()}
    expected = [tuple(key) not in known for key in asked.tolist()]
    assert Index(tmp_path).lacks(asked).tolist() == expected
    assert not Index(tmp_path).lacks(inside).any()
    assert any(expected)
    assert not all(expected)


def test_equal_keys_count_once(tmp_path: Path) -> None:
    """The size of the set is the number of different keys."""
    keys = random_keys(5000, 3)
    assert sort_keys(keys, tmp_path) == len({tuple(key) for key in keys.tolist()})
