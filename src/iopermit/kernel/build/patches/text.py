"""A text that holds diffs, and where its lines stand in the file that the user gave."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from iopermit.kernel.errors import PatchError

if TYPE_CHECKING:
    from pathlib import Path

_MOST_LINES: Final = 4_000_000


@dataclass(frozen=True)
class DiffText:
    """A text with diffs.

    Attributes:
        data: Its bytes.
        file: The file that it comes from.
        before: How many lines of the file come before it; `None` if its lines are not those of the
            file, since a mail encodes it.
        part: Which mail of the file it comes from, for messages; empty if the file is the text.
    """

    data: bytes
    file: Path
    before: int | None = 0
    part: str = ""

    @cached_property
    def lines(self) -> list[bytes]:
        """Its lines, without their ends."""
        if self.data.count(b"\n") > _MOST_LINES:
            raise PatchError(f"{self.file} has more than {_MOST_LINES:,} lines; split it")
        lines = self.data.split(b"\n")
        return lines[:-1] if not lines[-1] else lines

    @property
    def is_cut(self) -> bool:
        """Whether the last line has no end."""
        return not self.data.endswith(b"\n")

    def place(self, number: int) -> str:
        """Return where a line stands, counted from 1, for a message."""
        if self.before is not None:
            return f"{self.file}, line {self.before + number}"
        return f"{self.file}, {self.part}, line {number} of its text"

    def error(self, number: int, what: str) -> PatchError:
        """Return the error that something is wrong at a line."""
        return PatchError(f"{self.place(number)}: {what}")
