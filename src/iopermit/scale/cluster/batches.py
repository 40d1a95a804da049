"""What one owner sends another: states of several partitions, compressed."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import lz4.frame
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

Batch = tuple[tuple[tuple[int, int], ...], bytes]
"""Numbers of partitions, each with how many states of it follow; and the states, compressed."""


def home_of(partition: int, owners: int) -> int:
    """Return which of several owners has a partition."""
    return partition % owners


class Outbox:
    """Collects the states that go to each of several owners."""

    def __init__(self, owners: int) -> None:
        """Make it empty."""
        self._owners = owners
        self._waiting: dict[int, list[tuple[int, NDArray[np.uint64]]]] = defaultdict(list)

    def add(self, partition: int, states: NDArray[np.uint64]) -> None:
        """Add a copy of some states."""
        self._waiting[home_of(partition, self._owners)].append((partition, states.copy()))

    def taken(self) -> list[Batch | None]:
        """Return what goes to each owner, None for nothing, and forget it."""
        batches = [_packed(self._waiting.pop(owner, [])) for owner in range(self._owners)]
        self._waiting.clear()
        return batches


def unpacked(batch: Batch, words: int) -> Iterator[tuple[int, NDArray[np.uint64]]]:
    """Yield the states of each partition."""
    parts, content = batch
    states = np.frombuffer(lz4.frame.decompress(content), np.uint64).reshape(-1, words)
    first = 0
    for partition, count in parts:
        yield partition, states[first : first + count]
        first += count


def _packed(parts: Iterable[tuple[int, NDArray[np.uint64]]]) -> Batch | None:
    every = list(parts)
    if not every:
        return None
    content = np.concatenate([states for _, states in every]).tobytes()
    compressed: bytes = lz4.frame.compress(content)
    return tuple((partition, len(states)) for partition, states in every), compressed
