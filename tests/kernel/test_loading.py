"""What a built tree is told about the patches."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from iopermit.kernel.loading import changed_parts

LINES = st.lists(st.sampled_from("abc"), max_size=12)


@given(LINES, LINES)
def test_everything_outside_of_the_changed_parts_was_there(
    before: list[str], after: list[str]
) -> None:
    """Without the new lines, a text has only lines of the old one, in their order."""
    parts = changed_parts(before, after)
    kept = [
        line
        for number, line in enumerate(after)
        if not any(first <= number < end for first, end in parts)
    ]
    rest = iter(before)
    assert all(line in rest for line in kept)
    assert (not parts) == (before == after)


def test_what_is_taken_away_is_where_it_was() -> None:
    """A part that is gone is empty, and stands at the line behind it."""
    assert changed_parts(["a", "b", "c"], ["a", "c"]) == [(1, 1)]


def test_large_texts_take_no_time_out_of_proportion() -> None:
    """Texts of many equal lines, compared line by line, would take hours."""
    begin = time.process_time()
    parts = changed_parts(["a", *["}"] * 30_000, "b"], ["c", *["}", ""] * 30_000, "d"])
    assert parts == [(0, 60_002)]
    assert time.process_time() - begin < 20
