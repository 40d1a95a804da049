"""Hunks of a unified diff: exactly as many lines as their header says."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from iopermit.kernel.build.patches.names import shown

if TYPE_CHECKING:
    from iopermit.kernel.build.patches.text import DiffText

_HEADER: Final = re.compile(
    rb"@@ -([0-9]{1,9})(?:,([0-9]{1,9}))? \+([0-9]{1,9})(?:,([0-9]{1,9}))? @@(?: .*)?\r?", re.DOTALL
)
_NO_NEWLINE: Final = b"\\ "
_CONTEXT, _OLD, _NEW = b" ", b"-", b"+"
_SIGNATURES: Final = (b"--", b"-- ")
"""The line before the version of git at the end of a patch; mail programs strip its space."""


@dataclass(frozen=True)
class DiffHunk:
    """A change at one place of a file.

    Attributes:
        line: The line of its header, in the text of the diff.
        title: The header.
        old_start: The first line that it replaces, counted from 1; of a hunk that only adds, the
            line behind which it adds.
        new_start: The same in the new file.
        old: The lines that it replaces, with their ends.
        new: The lines that it puts there.
        leading: How many lines at its beginning it leaves as they are.
        trailing: The same at its end.
    """

    line: int
    title: str
    old_start: int
    new_start: int
    old: tuple[bytes, ...]
    new: tuple[bytes, ...]
    leading: int
    trailing: int

    @property
    def undone(self) -> DiffHunk:
        """The hunk that takes this one back."""
        return replace(
            self,
            old_start=self.new_start,
            new_start=self.old_start,
            old=self.new,
            new=self.old,
        )


def read_hunk(text: DiffText, at: int) -> tuple[DiffHunk, int]:
    """Read the hunk whose header is a line, counted from 0.

    Returns:
        The hunk, and the number of the line behind it.

    Raises:
        PatchError: It is damaged, too short or too long.
    """
    title = text.lines[at]
    numbers = _HEADER.fullmatch(title)
    if numbers is None:
        raise text.error(at + 1, f"damaged header of a hunk: {shown(title)}")
    old_start, old_count, new_start, new_count = (
        1 if number is None else int(number) for number in numbers.groups()
    )
    if not old_count and not new_count:
        raise text.error(at + 1, f"a hunk without lines: {shown(title)}")
    body = _Body(text, at)
    end = body.read(old_count, new_count)
    hunk = DiffHunk(
        at + 1,
        shown(title.rstrip(b"\r")),
        old_start,
        new_start,
        tuple(body.old),
        tuple(body.new),
        body.leading,
        body.trailing,
    )
    return hunk, end


class _Body:
    """The lines of a hunk, while they are read."""

    def __init__(self, text: DiffText, header: int) -> None:
        self._text, self._header = text, header
        self.old: list[bytes] = []
        self.new: list[bytes] = []
        self.leading = self.trailing = 0
        self._changes = False

    def read(self, old_count: int, new_count: int) -> int:
        """Read as many lines as the header says, and return the number of the line behind."""
        lines, at = self._text.lines, self._header + 1
        while len(self.old) < old_count or len(self.new) < new_count:
            if at == len(lines) or (self._text.is_cut and at == len(lines) - 1):
                raise self._damaged(at, "has fewer lines than its header says: it is cut off")
            self._take(lines[at], at)
            at += 1
            if len(self.old) > old_count or len(self.new) > new_count:
                raise self._damaged(at, "does not fit the numbers of its header")
            if at < len(lines) and lines[at].startswith(_NO_NEWLINE):
                self._end_without_newline(lines[at - 1][:1], at)
                at += 1
        self._require_end(at)
        return at

    def _take(self, line: bytes, at: int) -> None:
        # Mail programs strip the space of an empty line.
        kind, content = (line[:1], line[1:] + b"\n") if line else (_CONTEXT, b"\n")
        if line == b"\r":
            kind, content = _CONTEXT, b"\r\n"
        if kind == _CONTEXT:
            self.trailing += 1
            self.leading += not self._changes
        elif kind in {_OLD, _NEW}:
            self._changes, self.trailing = True, 0
        else:
            raise self._damaged(
                at + 1, f"has the line {shown(line)!r} (has a mail program wrapped its long lines?)"
            )
        if kind != _NEW:
            self.old.append(content)
        if kind != _OLD:
            self.new.append(content)

    def _end_without_newline(self, kind: bytes, at: int) -> None:
        """Take away the end of the last line of the file."""
        for lines, other in ((self.old, _NEW), (self.new, _OLD)):
            if kind != other and lines:
                if not lines[-1].endswith(b"\n"):
                    raise self._damaged(at + 1, "says twice that the file has no last newline")
                lines[-1] = lines[-1][:-1]

    def _require_end(self, at: int) -> None:
        """Refuse a hunk that goes on behind the end that its header states."""
        for lines in (self.old, self.new):
            if any(not line.endswith(b"\n") for line in lines[:-1]):
                raise self._damaged(at, "goes on behind the end of the file")
        lines = self._text.lines
        behind = lines[at] if at < len(lines) else b""
        following = lines[at + 1] if at + 1 < len(lines) else b""
        is_header = behind.startswith(b"--- ") and following.startswith(b"+++ ")
        is_more = behind[:1] in {_CONTEXT, _OLD, _NEW} and behind not in _SIGNATURES
        if is_more and not is_header:
            raise self._damaged(at + 1, f"has more lines than its header says: {shown(behind)!r}")

    def _damaged(self, number: int, what: str) -> Exception:
        header = f"the hunk of line {self._header + 1}, {shown(self._text.lines[self._header])},"
        return self._text.error(number, f"the patch is damaged: {header} {what}")
