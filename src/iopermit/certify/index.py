"""The set of all keys, sorted, on disk: many processes can look into it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from iopermit.certify.names import Keys

_MIX = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


def hashes(keys: Keys) -> NDArray[np.uint64]:
    """Return a hash of each key."""
    total = np.zeros(len(keys), np.uint64)
    with np.errstate(over="ignore"):
        for word in range(keys.shape[1]):
            total = (total + keys[:, word]) * _MIX
            total ^= total >> _SHIFT
    return total


def sort_keys(unsorted: Keys, directory: Path) -> int:
    """Write the keys, each once, and their hashes to a directory; return how many they are."""
    known = hashes(unsorted)
    order = np.argsort(known, kind="stable")
    known, keys = known[order], unsorted[order]
    # Equal keys need not be neighbours if their hash has other keys too: that does no harm.
    fresh = np.ones(len(keys), bool)
    fresh[1:] = (keys[1:] != keys[:-1]).any(axis=1)
    np.save(directory / "hashes.npy", known[fresh])
    np.save(directory / "keys.npy", keys[fresh])
    return int(fresh.sum())


class Index:
    """Tells which keys are in the set, exactly: the hash only says where to look."""

    def __init__(self, directory: Path) -> None:
        """Open what :func:`sort_keys` wrote."""
        self._hashes = np.load(directory / "hashes.npy", mmap_mode="r")
        self._keys = np.load(directory / "keys.npy", mmap_mode="r")

    def lacks(self, keys: Keys) -> NDArray[np.bool_]:
        """Return for each key whether it is not in the set."""
        wanted = hashes(keys)
        places = np.searchsorted(self._hashes, wanted)
        lacking = np.ones(len(keys), bool)
        rest = np.arange(len(keys))
        while len(rest):
            inside = places[rest] < len(self._hashes)
            rest = rest[inside]
            rest = rest[self._hashes[places[rest]] == wanted[rest]]
            found = (self._keys[places[rest]] == keys[rest]).all(axis=1)
            lacking[rest[found]] = False
            rest = rest[~found]
            places[rest] += 1
        return lacking
