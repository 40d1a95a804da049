"""Where hunks belong in a file."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from iopermit.kernel.build.patches.diff import read_file_diffs
from iopermit.kernel.build.patches.placing import MisfitError, with_hunks
from iopermit.kernel.build.patches.text import DiffText

BLOCK = [b"{\n", b"\tint a;\n", b"\treturn a;\n", b"}\n"]


def put(before: bytes, *hunks: str) -> bytes:
    """Put hunks into a file."""
    text = "--- a/x\n+++ b/x\n" + "".join(hunks)
    (file,) = read_file_diffs(DiffText(text.encode(), Path("p")))
    return with_hunks(before, file.hunks)


def misfit(before: bytes, *hunks: str) -> str:
    """Return why hunks do not fit."""
    with pytest.raises(MisfitError) as error:
        put(before, *hunks)
    return str(error.value)


def change(line: int) -> str:
    """Return a hunk that changes the declaration of a block that begins with a line."""
    return f"@@ -{line},4 +{line},4 @@\n {{\n-\tint a;\n+\tlong a;\n \treturn a;\n }}\n"


def test_a_hunk_that_fits_several_places_goes_where_it_says() -> None:
    """Of equal blocks the one at the stated line is changed."""
    before = b"".join([b"/* 1 */\n", *BLOCK, b"/* 2 */\n", *BLOCK, b"/* 3 */\n", *BLOCK])
    after = put(before, change(7))
    assert after.splitlines()[7:8] == [b"\tlong a;"]
    assert after.count(b"long") == 1


def test_a_hunk_that_moved_and_fits_several_places_is_refused() -> None:
    """Which of two equal blocks is meant cannot be told, and is not guessed."""
    before = b"\n\n\n" + b"".join([*BLOCK, b"\n", *BLOCK, b"\n"])
    assert "fits lines 4 and 9" in misfit(before, change(2))


def test_a_hunk_moves_as_far_as_the_one_before() -> None:
    """Among equal blocks the one that is meant is known by where the hunk before it was."""
    before = b"new\nnew\nunique\n" + b"".join([*BLOCK, b"\n", *BLOCK, b"\n", *BLOCK, b"\n"])
    first = "@@ -2,2 +2,2 @@\n-unique\n+changed\n {\n"
    after = put(before, first, change(8))
    assert after.splitlines()[9] == b"\tlong a;"


def test_a_hunk_for_the_beginning_and_one_for_the_end() -> None:
    """A hunk that begins with line 1 or ends with its change fits nowhere else."""
    begin = "@@ -1,2 +1,3 @@\n+new\n a\n b\n"
    assert put(b"a\nb\nc\n", begin) == b"new\na\nb\nc\n"
    assert "belongs to the beginning" in misfit(b"x\na\nb\nc\n", begin)
    end = "@@ -2,2 +2,3 @@\n b\n c\n+new\n"
    assert put(b"x\na\nb\nc\n", end) == b"x\na\nb\nc\nnew\n"
    assert "belongs to the end" in misfit(b"a\nb\nc\nd\n", end)


def test_hunks_without_context() -> None:
    """Nobody can tell where they belong, unless they end the file."""
    replaces, adds = "@@ -2 +2 @@\n-b\n+x\n", "@@ -2,0 +3 @@\n+c\n"
    assert put(b"a\nb\n", replaces) == b"a\nx\n"
    assert "belongs to the end" in misfit(b"a\nb\nc\n", replaces)
    assert "nobody can tell where it belongs" in misfit(b"a\nb\n", adds)


def test_hunks_in_another_order() -> None:
    """A hunk before the one that precedes it is refused."""
    assert "comes before the end of the hunk" in misfit(
        b"1\n2\n3\n4\n5\n6\n",
        "@@ -4,3 +4,3 @@\n 4\n-5\n+x\n 6\n",
        "@@ -2,3 +2,3 @@\n 2\n-3\n+y\n 4\n",
    )


@pytest.mark.parametrize(
    ("before", "fits"), [(b"a\nb", True), (b"a\nb\n", False), (b"a\nb\nc", False)]
)
def test_the_end_of_the_last_line_counts(before: bytes, fits: bool) -> None:
    """A hunk for a file without a last newline fits no other, and makes what it says."""
    hunk = "@@ -1,2 +1,2 @@\n-a\n+A\n b\n\\ No newline at end of file\n"
    if fits:
        assert put(before, hunk) == b"A\nb"
    else:
        misfit(before, hunk)


def test_lines_end_with_line_feeds_only() -> None:
    """Other characters that Python takes for line ends are characters of a line."""
    before = b"a\x0cb\x0b\x1c\r\nc\n"
    assert put(before, "@@ -1,2 +1,2 @@\n a\x0cb\x0b\x1c\r\n-c\n+d\n") == b"a\x0cb\x0b\x1c\r\nd\n"


def seconds(size: int, number: int) -> float:
    """Return how long it takes to find that hunks do not fit a file of some lines, all alike."""
    before = b"x\n" * size
    body = "".join(" x\n" for _ in range(size // 2))
    hunk = f"@@ -2,{size // 2 + 1} +2,{size // 2 + 1} @@\n{body}-y\n+z\n"
    begin = time.process_time()
    for _ in range(number):
        misfit(before, hunk)
    return time.process_time() - begin


def test_what_does_not_fit_takes_time_in_proportion() -> None:
    """Of eight times the lines it takes far less than the 64 times of comparing all with all."""
    seconds(2000, 1)
    assert seconds(32_000, 1) < 24 * max(seconds(4000, 1), 0.02)
