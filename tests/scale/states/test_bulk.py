"""Tests of iopermit.scale.states.bulk: hashes, look-ups and the cache of what was sent."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.support.search.searching import subject

from iopermit.scale.states.bulk import SentStates, bulk_functions
from iopermit.scale.states.table import StateTable
from iopermit.search.compilation import compiled
from iopermit.search.exploration.loops import NativeLoops
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray


@pytest.fixture(scope="module")
def loops() -> Iterator[tuple[NativeLoops, int]]:
    """Give the native loops of a small model, and the words of its states."""
    native = compiled(subject("linux-5.4", Scenario(1, 1, 1, PLAIN_EVENTS)), ())
    yield NativeLoops(native), native.packing.stored_words
    # The machine code was there as long as its model.
    del native


def some_states(words: int, amount: int, seed: int = 3) -> NDArray[np.uint64]:
    """Return states of which many are alike; the first is all zeroes."""
    values = np.random.default_rng(seed).integers(0, 40, (amount, words)).astype(np.uint64)
    values[0] = 0
    return values


def test_hashes_are_those_of_the_search(loops: tuple[NativeLoops, int]) -> None:
    """In bulk, states have the hashes that native code gives them one by one."""
    native, words = loops
    states, hashes = some_states(words, 50), np.empty(50, np.uint64)
    bulk_functions(words).hash_states(states, hashes)
    size = states.itemsize * words
    expected = [native.hash_state(states.ctypes.data + i * size) for i in range(50)]
    assert hashes.tolist() == expected


def test_what_is_among_others_is_marked(loops: tuple[NativeLoops, int]) -> None:
    """Of the states of a table exactly those are marked that are among given ones."""
    native, words = loops
    bulk, table = bulk_functions(words), StateTable(native, words, 4000)
    states, others = some_states(words, 3000), some_states(words, 500, seed=4)
    hashes, marks = np.empty(3000, np.uint64), np.zeros(4000, np.uint8)
    bulk.hash_states(states, hashes)
    table.insert(states.ctypes.data, hashes.ctypes.data, len(states))
    distinct = {tuple(row) for row in states.tolist()}
    assert {tuple(row) for row in table.states[: table.count].tolist()} == distinct
    assert table.count == len(distinct)
    of_others = np.empty(500, np.uint64)
    bulk.hash_states(others, of_others)
    bulk.mark_known(table.record, others, of_others, marks)
    known = {tuple(row) for row in others.tolist()}
    for row, mark in zip(table.states[: table.count].tolist(), marks.tolist(), strict=False):
        assert bool(mark) == (tuple(row) in known)


@pytest.mark.parametrize("bits", [1, 12], ids=["two places", "4096 places"])
def test_only_repeated_states_are_dropped(bits: int) -> None:
    """What is dropped was handed on before; every different state is handed on, zeroes too."""
    words = 2
    bulk = bulk_functions(words)
    sent = SentStates(bulk, bits)
    handed_on: set[tuple[int, ...]] = set()
    for seed in range(5):
        states = some_states(words, 300, seed)
        every = {tuple(row) for row in states.tolist()}
        hashes = np.empty(300, np.uint64)
        bulk.hash_states(states, hashes)
        kept = bulk.drop_repeated(states.ctypes.data, hashes.ctypes.data, 300, sent)
        found = {tuple(row) for row in states[:kept].tolist()}
        assert every - found <= handed_on
        handed_on |= found
        again = np.empty(kept, np.uint64)
        bulk.hash_states(states[:kept], again)
        assert again.tolist() == hashes[:kept].tolist()


def test_a_full_table_takes_nothing_more(loops: tuple[NativeLoops, int]) -> None:
    """More states than there are places for are refused before anything is written."""
    native, words = loops
    table = StateTable(native, words, 4)
    content = ctypes.create_string_buffer(8 * 8 * words)
    with pytest.raises(MemoryError):
        table.insert(ctypes.addressof(content), ctypes.addressof(content), 5)
    assert table.count == 0


def test_states_are_divided_in_their_order() -> None:
    """Each group has its states one after the other, and the place behind them is told."""
    states = np.arange(600, dtype=np.uint64).reshape(-1, 3)
    bulk, into = bulk_functions(3), np.zeros((200, 3), np.uint64)
    hashes = np.array([(n * 7 % 4) << 30 | 0xF << 32 for n in range(200)], np.uint64)
    groups = [states[(hashes >> np.uint64(30)) & np.uint64(3) == n] for n in range(4)]
    ends = np.cumsum([len(group) for group in groups]).astype(np.uint64)
    places = np.array([0, *ends[:3]], np.uint64)
    bulk.divide(states, hashes, 30, places, into)
    assert into.tolist() == np.concatenate(groups).tolist()
    assert places.tolist() == ends.tolist()
