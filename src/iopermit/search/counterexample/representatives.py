"""Finds all the canonical representatives of the states that differ in names only."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iopermit.search.exploration.memory import Words
    from iopermit.search.exploration.native import NativeFunctions


def representatives(native: NativeFunctions, state: Words) -> frozenset[bytes]:
    """Return the representatives of all states that differ from one in names only.

    The renaming of states is quick, not perfect: where nothing tells two tasks or two CPUs apart
    that the hashes look at, both orders of them stay as they are. Heap objects and sequence
    numbers are named by their first mention, which the names of tasks and CPUs settle.
    """
    return frozenset(
        native.canonical(native.pack(words)).tobytes()
        for words in _renamed(native, native.unpack(state))
    )


def _renamed(native: NativeFunctions, words: list[int]) -> Iterator[list[int]]:
    """Yield a state in working form under all names of its tasks and CPUs."""
    model = native.compiled.model
    cpus = [tuple(range(model.counts["cpu"]))]
    if model.cpus_alike:
        cpus = list(itertools.permutations(cpus[0]))
    for tasks, order in itertools.product(itertools.permutations(range(model.tasks)), cpus):
        idle = tuple(model.tasks + cpu for cpu in order)
        yield _permuted(native, words, {"task": tasks + idle, "cpu": order, "tss": order})


def _permuted(
    native: NativeFunctions, words: list[int], orders: Mapping[str, Sequence[int]]
) -> list[int]:
    """Move the slots of some records, and rename every pointer to them.

    Args:
        native: the functions of the model.
        words: a state in working form.
        orders: for each record the old slot at each new one.
    """
    packing, result = native.compiled.packing, list(words)
    for record, order in orders.items():
        size = packing.words_per_slot[record]
        for new, old in enumerate(order):
            to, source = (packing.word(record, slot, 0) for slot in (new, old))
            result[to : to + size] = words[source : source + size]
    for record, order in orders.items():
        names = {0: 0} | {old + 1: new + 1 for new, old in enumerate(order)}
        for holder, place in packing.zones("ref", record):
            for slot in range(native.compiled.model.counts[holder]):
                index = packing.word(holder, slot, place.word)
                name = result[index] >> place.shift & (1 << place.width) - 1
                result[index] &= ~place.mask
                result[index] |= names.get(name, name) << place.shift
    return result
