"""Looks through a level once more: for its violating states, and for what leads to given states.

That is how a counterexample is found without a link for each state. Of several states the least
one is taken, so that it depends on nothing but the states of the level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from numpy.typing import NDArray

    from iopermit.scale.states.bulk import BulkFunctions
    from iopermit.scale.states.expander import Expander

State = tuple[int, ...]
"""The words of a stored state. States are compared by their words, the first one first."""


def least_violating(
    expander: Expander, blocks: Iterable[NDArray[np.uint64]], codes: Collection[int]
) -> dict[int, State]:
    """Return the least state for each code that some state shows.

    Args:
        expander: one with a single buffer, for this alone.
        blocks: the states.
        codes: numbers of kinds and statements, as they are in `Counters.totals`.
    """
    found: dict[int, State] = {}
    for block in blocks:
        if not _shown(expander, block, codes):
            continue
        in_order = block[np.lexsort(block.T[::-1])]
        for code, index in _shown(expander, in_order, codes).items():
            state = _words(in_order[index])
            found[code] = min(found.get(code, state), state)
    return found


def least_predecessors(
    expander: Expander,
    blocks: Iterable[NDArray[np.uint64]],
    targets: Sequence[State],
    bulk: BulkFunctions,
) -> list[State | None]:
    """Return for each target the least state that leads to it, or None.

    Args:
        expander: one with a single buffer, for this alone.
        blocks: the states.
        targets: what they are to lead to.
        bulk: the native functions for states of this size.
    """
    if not targets:
        return []
    rows = np.array(targets, np.uint64)
    hashes = np.empty(len(rows), np.uint64)
    bulk.hash_states(rows, hashes)
    found: list[State | None] = [None] * len(rows)

    def look(block: NDArray[np.uint64]) -> None:
        amount = expander.fill(0)
        made = expander.rows(0, amount)
        for number, (row, hashed) in enumerate(zip(rows, hashes, strict=True)):
            alike = np.flatnonzero(expander.hashes[:amount] == hashed)
            alike = alike[(made[alike] == row).all(axis=1)]
            for parent in np.unique(expander.parents[alike]):
                state, known = _words(block[parent]), found[number]
                found[number] = state if known is None else min(known, state)
        expander.empty(0)

    for block in blocks:
        expander.expand(block, lambda block=block: look(block))  # type: ignore[misc]  # its default is its type
    return found


def _shown(expander: Expander, block: NDArray[np.uint64], codes: Collection[int]) -> dict[int, int]:
    """Return the first state of a block for each code that it shows."""
    expander.forget_found()
    expander.expand(block, lambda: expander.empty(0))
    lowest = expander.lowest
    return {code: lowest[code] - 1 for code in codes if lowest[code]}


def _words(row: NDArray[np.uint64]) -> State:
    return tuple(int(word) for word in row)
