"""Tests of iopermit.search.exploration.visited: how many states fit into the memory of a search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iopermit.search.exploration.visited import LINK, most_states

WORD = 8


def needed(states: int, words: int) -> int:
    """Return the most bytes that states, links and index have taken on the way to a number."""
    places, peak = 1 << 16, 0
    while 4 * states > 3 * places:
        grown_at = 3 * places // 4
        peak = max(peak, grown_at * (words * WORD + LINK) + 3 * places * WORD)
        places *= 2
    return max(peak, states * (words * WORD + LINK) + places * WORD)


@given(st.integers(0, 1 << 35), st.integers(1, 8))
def test_the_states_fit_and_no_more_would(memory: int, words: int) -> None:
    """So many states take no more than the memory, and 1 % more would."""
    most = most_states(memory, words)
    assert not most or needed(most, words) <= memory
    assert needed(most + most // 100 + 1, words) > memory


@pytest.mark.parametrize("memory", [0, 1000, 1 << 19])
def test_little_memory_has_room_for_nothing(memory: int) -> None:
    """An index alone takes half a mebibyte."""
    assert most_states(memory, 3) == 0
