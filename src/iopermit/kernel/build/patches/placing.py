"""Puts hunks into the bytes of a file: every line that they name must be there, at one place only.

A hunk belongs where its header says, moved as far as the hunk before it was. If its lines are not
there, they may be anywhere behind that hunk, but only once: whoever cannot tell the place must not
guess it. As with `git apply` there is no fuzz; a hunk that begins with the first line belongs to
the beginning of the file, and one without lines behind its change to the end.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import TYPE_CHECKING, Final

from iopermit.kernel.build.patches.names import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.kernel.build.patches.hunks import DiffHunk

_MOST_SEARCHED: Final = 1 << 30
"""Bytes of a file that are searched for moved hunks, all of them together."""
_APPLIED: Final = "its new lines are there already: it seems to be applied"
_COMPARED: Final = 2_000_000
"""Pairs of lines that are compared to say which line stands in the way."""


class MisfitError(Exception):
    """A hunk does not fit a file; `str()` says why, `number` counts the hunks from 1."""

    def __init__(self, number: int, why: str) -> None:
        self.number = number
        super().__init__(why)


def with_hunks(before: bytes, hunks: Sequence[DiffHunk], *, undone: bool = False) -> bytes:
    """Return the bytes of a file with all hunks applied.

    Args:
        before: The file.
        hunks: What is to be changed.
        undone: Whether they take a patch back; messages say so.

    Raises:
        MisfitError: One does not fit, or fits several places.
    """
    done = "its old lines are there: it seems not to be applied" if undone else _APPLIED
    return _Placing(before, done).apply(hunks)


class _Placing:
    def __init__(self, before: bytes, done: str) -> None:
        self._text, self._done_already = before, done
        self._lines = _lines(before)
        self._starts = [0, *accumulate(map(len, self._lines))]
        self._done = self._drift = self._searched = 0

    def apply(self, hunks: Sequence[DiffHunk]) -> bytes:
        after: list[bytes] = []
        for number, hunk in enumerate(hunks, start=1):
            place = self._place(hunk, number)
            stated = hunk.old_start - 1 if hunk.old else hunk.old_start
            self._drift = place - stated
            after += self._lines[self._done : place]
            after += hunk.new
            self._done = place + len(hunk.old)
        after += self._lines[self._done :]
        if any(not line.endswith(b"\n") for line in after[:-1]):
            raise MisfitError(len(hunks), "its last line has no end, and others follow it")
        return b"".join(after)

    def _place(self, hunk: DiffHunk, number: int) -> int:
        """Return the line, counted from 0, at which a hunk begins."""
        if not hunk.old:
            return self._place_of_lines_only_added(hunk, number)
        at_begin, at_end = hunk.old_start <= 1, not hunk.trailing
        end = len(self._lines) - len(hunk.old)
        stated = 0 if at_begin else end if at_end else hunk.old_start - 1 + self._drift
        if self._fits(hunk.old, stated) and (not at_end or stated == end):
            return stated
        if at_begin or at_end:
            raise MisfitError(number, self._explain(hunk, stated))
        found = self._search(b"".join(hunk.old), number)
        if not found:
            raise MisfitError(number, self._explain(hunk, stated))
        if len(found) > 1:
            first, second = (place + 1 for place in found)
            raise MisfitError(
                number,
                f"\n  it is for line {stated + 1}, and fits lines {first} and {second}; make the "
                "patch for this tree, with lines of context",
            )
        return found[0]

    def _place_of_lines_only_added(self, hunk: DiffHunk, number: int) -> int:
        if self._lines:
            raise MisfitError(
                number,
                "\n  it has no line but new ones, so that nobody can tell where it belongs; make "
                "the patch with lines of context"
                if hunk.old_start
                else "\n  it makes a new file of a file that is not empty",
            )
        return 0

    def _fits(self, old: Sequence[bytes], place: int) -> bool:
        return (
            place >= self._done
            and place + len(old) <= len(self._lines)
            and self._lines[place : place + len(old)] == list(old)
        )

    def _search(self, old: bytes, number: int) -> list[int]:
        """Return the first two places, counted from 0, at which lines stand."""
        found: list[int] = []
        offset = self._starts[self._done]
        while len(found) <= 1:
            self._searched += len(self._text) - offset
            if self._searched > _MOST_SEARCHED:
                raise MisfitError(number, "\n  too many hunks before it have moved")
            offset = self._text.find(old, offset)
            if offset < 0:
                break
            place = bisect_left(self._starts, offset)
            if self._starts[place] == offset and self._fits_at_end(old, offset):
                found.append(place)
                offset += 1
            else:
                offset = self._starts[place]
        return found

    def _fits_at_end(self, old: bytes, offset: int) -> bool:
        return old.endswith(b"\n") or offset + len(old) == len(self._text)

    def _explain(self, hunk: DiffHunk, stated: int) -> str:
        """Say which line stands in the way, where the hunk would nearly fit."""
        new = b"".join(hunk.new)
        if new and (self._text.startswith(new) or b"\n" + new in self._text):
            return f"\n  {self._done_already}"
        place = self._nearest(hunk.old, stated)
        for offset, expected in enumerate(hunk.old):
            number = place + offset
            found = self._lines[number] if number < len(self._lines) else None
            if found != expected:
                return (
                    f"\n  line {number + 1}\n    expected: {_shown(expected)}\n    found:    "
                    + ("the end of the file" if found is None else _shown(found))
                )
        if place < self._done:
            return "\n  it comes before the end of the hunk that precedes it"
        return (
            f"\n  its lines stand at line {place + 1}, but it belongs to the "
            + ("end" if not hunk.trailing else "beginning")
            + " of the file, since it has no lines of context "
            + ("behind its last change" if not hunk.trailing else "before line 1")
        )

    def _nearest(self, old: Sequence[bytes], stated: int) -> int:
        """Return the place near the stated one with the most lines in common."""
        reach = max(_COMPARED // len(old), 1)
        low = max(min(stated, len(self._lines)) - reach // 2, 0)
        places = range(low, min(low + reach, len(self._lines)) or 1)

        def common(place: int) -> int:
            pairs = zip(old, self._lines[place : place + len(old)], strict=False)
            return sum(one == other for one, other in pairs)

        if not places:
            return max(stated, 0)
        return max(places, key=lambda place: (common(place), -abs(place - stated)))


def _lines(text: bytes) -> list[bytes]:
    """Split at line feeds only: a carriage return is a character of a line."""
    lines = [line + b"\n" for line in text.split(b"\n")]
    last = lines.pop()[:-1]
    return [*lines, last] if last else lines


def _shown(line: bytes) -> str:
    end = "" if line.endswith(b"\n") else "  (without a newline)"
    return shown(line.removesuffix(b"\n")) + end
