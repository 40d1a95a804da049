"""Tests of iopermit.sweep.bisection: right places, and few of them."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iopermit.sweep.bisection import Change, changes, grid, next_places, unsearched


def judged(count: int, verdict: Callable[[int], str | None]) -> dict[int, str | None]:
    """Return what is known after every place that is asked for was judged."""
    known: dict[int, str | None] = {}
    while places := next_places(known, count):
        assert not known.keys() & set(places)
        known |= {place: verdict(place) for place in places}
    return known


def test_a_fault_that_comes_and_goes_is_found() -> None:
    """Of 13 revisions, of which four are faulty, nine tell which one planted and which repaired."""
    known = judged(13, lambda place: "leak" if 5 <= place < 9 else "holds")
    assert changes(known) == [Change("holds", "leak", 4, 5), Change("leak", "holds", 8, 9)]
    assert len(known) <= 9


@given(st.integers(2, 5000), st.data())
def test_one_change_takes_a_logarithm_of_jobs(count: int, data: st.DataObject) -> None:
    """One change in up to 5000 revisions is found at its place, in 2 + 2 log2(n) jobs at most."""
    place = data.draw(st.integers(1, count - 1))
    known = judged(count, lambda each: "leak" if each >= place else "holds")
    assert changes(known) == [Change("holds", "leak", place - 1, place)]
    assert len(known) <= 2 + 2 * math.ceil(math.log2(count))


@given(st.lists(st.sampled_from(["holds", "leak", "crash", None]), max_size=40))
def test_what_is_reported_is_true(verdicts: list[str | None]) -> None:
    """Whatever the verdicts: a change lies where it is said, and no place with one is inside it."""
    known = judged(len(verdicts), verdicts.__getitem__)
    for change in changes(known):
        assert verdicts[change.last_before] == change.before
        assert verdicts[change.first_after] == change.after
        between = verdicts[change.last_before + 1 : change.first_after]
        assert not any(between)


def test_a_revision_without_a_verdict_is_passed_over() -> None:
    """If the middle does not build, its neighbours are judged, as far as they are needed."""
    known = judged(9, lambda place: None if place in (3, 4) else "leak" if place > 4 else "holds")
    assert changes(known) == [Change("holds", "leak", 2, 5)]


def test_what_was_not_judged_between_equal_verdicts_is_named() -> None:
    """Where both ends hold, the revisions in between are not judged, and the gap is told."""
    known = judged(100, lambda _: "holds")
    gaps = unsearched(known)
    assert len(gaps) == len(known) - 1 == math.ceil(math.log2(100))
    assert (gaps[0][0], gaps[-1][1]) == (0, 99)


@pytest.mark.parametrize(("count", "places"), [(0, []), (1, [0]), (2, [0, 1]), (3, [0, 1, 2])])
def test_short_rows_are_judged_as_a_whole(count: int, places: list[int]) -> None:
    """A row of up to three revisions has nothing to leave out."""
    assert grid(count) == places
