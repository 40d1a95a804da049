"""What a built tree is told about the patches."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iopermit.kernel.build.source import Source
from iopermit.kernel.loading import changed_lines, changed_parts

if TYPE_CHECKING:
    from pathlib import Path

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


@pytest.mark.parametrize(
    ("before", "after", "places", "removed"),
    [
        ("f();\ng();\n\nh();\n", "f();\n\nh();\n", {2, 3}, True),
        ("f();\ng();\n\nh();\n", "f();\n\n\nh();\n", {2, 3, 4}, True),
        ("f();\nh();\n", "f();\n\nh();\n", {2}, False),
        ("f();\n/* g */\nh();\n", "f();\nh();\n", {2}, False),
        ("f();\nh();\n", "f();\nh(1,\n  2);\n", {2, 3}, True),
    ],
)
def test_code_that_is_gone_is_where_the_text_goes_on(
    tmp_path: Path, before: str, after: str, places: set[int], removed: bool
) -> None:
    """What is blamed for code that was taken away is the next line with text, blank or not."""
    (tmp_path / "a.c").write_text(before)
    source = Source(tmp_path, {"a.c": after.encode()})
    found, gone = changed_lines(source)
    assert {number for _, number in found} == places
    assert gone == (found if removed else frozenset())
