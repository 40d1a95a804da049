"""Reads unified diffs strictly: what looks like a part of one and is none is refused.

The forms are those of `git diff` and of `diff -u`. A reader that passes over what it does not
understand would check code with half of a patch. Every line is looked at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from iopermit.kernel.build.patches.foreign import refuse_foreign
from iopermit.kernel.build.patches.header import GIT, read_git_header, read_names
from iopermit.kernel.build.patches.hunks import DiffHunk, read_hunk
from iopermit.kernel.build.patches.names import NO_FILE, BadNameError, stripped

if TYPE_CHECKING:
    from iopermit.kernel.build.patches.text import DiffText

_EPOCH: Final = re.compile(rb"\t(?:1969-12-31|1970-01-01) ")
"""The time stamp that `diff -N` gives to a file that is not there, in any time zone."""
_BINARY: Final = (b"Binary files ", b"GIT binary patch")


@dataclass(frozen=True)
class FileDiff:
    """What a diff says about one file.

    Attributes:
        line: The first line of its header, counted from 1.
        old: The name of the file before; `None` if it is created.
        new: The name afterwards; `None` if it is deleted.
        exact: Whether the names are those in the tree; else both have or lack a first component
            that is none of the tree's, as `a/`.
        hunks: The changes.
        binary: Whether the content is binary.
        copied: Whether the old file stays, besides the new one.
        renamed: Whether the old file goes.
        old_mode: The mode before, in octal digits, if it is stated.
        new_mode: The mode afterwards.
    """

    line: int
    old: bytes | None
    new: bytes | None
    exact: bool
    hunks: tuple[DiffHunk, ...] = ()
    binary: bool = False
    copied: bool = False
    renamed: bool = False
    old_mode: bytes | None = None
    new_mode: bytes | None = None

    @property
    def undone(self) -> FileDiff:
        """What takes this change of a file back; not of a copy, which leaves no trace."""
        return replace(
            self,
            old=self.new,
            new=self.old,
            hunks=tuple(hunk.undone for hunk in self.hunks),
            old_mode=self.new_mode,
            new_mode=self.old_mode,
        )


def read_file_diffs(text: DiffText) -> list[FileDiff]:
    """Return what a text says about files, in its order.

    Raises:
        PatchError: A part of it is damaged, or would not be applied; the message names the
            line.
    """
    files: list[FileDiff] = []
    lines, at = text.lines, 0
    while at < len(lines):
        line = lines[at]
        following = lines[at + 1] if at + 1 < len(lines) else b""
        if line.startswith(GIT):
            file, at = _read_git(text, at)
        elif line.startswith(b"--- ") and following.startswith(b"+++ "):
            file, at = _read_plain(text, at)
        elif line.startswith(_BINARY[0]) and line.rstrip(b"\r").endswith(b" differ"):
            file, at = _read_binary(text, at)
        else:
            refuse_foreign(text, at, first=not files)
            at += 1
            continue
        files.append(file)
    return files


def _read_git(text: DiffText, at: int) -> tuple[FileDiff, int]:
    header, at = read_git_header(text, at)
    binary = at < len(text.lines) and text.lines[at].startswith(_BINARY)
    hunks, end = ((), at + 1) if binary else _read_hunks(text, at)
    if hunks and not header.takes_hunks:
        raise text.error(at + 1, "the patch is damaged: `--- FILE` and `+++ FILE` are missing")
    if header.wants_hunks and not hunks and not binary:
        name = (header.new or header.old or b"").decode("utf-8", "replace")
        raise text.error(header.line, f"the header of {name} has no hunks; the patch was cut off")
    file = FileDiff(
        header.line,
        header.old,
        header.new,
        exact=True,
        hunks=hunks,
        binary=binary,
        copied=header.copied,
        renamed=header.renamed,
        old_mode=header.old_mode,
        new_mode=header.new_mode,
    )
    return file, end


def _read_plain(text: DiffText, at: int) -> tuple[FileDiff, int]:
    """Read what `diff -u` writes, with two lines for a header."""
    try:
        old, new = read_names(text, at)
    except BadNameError as error:
        raise text.error(at + 1, f"the patch is damaged: {error}") from error
    hunks, end = _read_hunks(text, at + 2)
    if not hunks:
        name = (new if old == NO_FILE else old).decode("utf-8", "replace")
        raise text.error(at + 1, f"the header of {name} has no hunks; the patch was cut off")
    empty = [not hunks[0].old, not hunks[0].new] if len(hunks) == 1 else [False, False]
    absent = [
        name == NO_FILE or (none and _EPOCH.search(text.lines[at + place]) is not None)
        for place, (name, none) in enumerate(zip((old, new), empty, strict=True))
    ]
    if all(absent):
        raise text.error(at + 1, "the patch is damaged: its header names no file")
    for gone, none, place in zip(absent, empty, (0, 1), strict=True):
        if gone and not none:
            raise text.error(at + place + 1, "a file that is not there has lines in the patch")
        if none and not gone and hunks[0].leading == 0 and _starts_at_nothing(hunks[0], place):
            raise text.error(
                at + place + 1,
                "this may mean a file that is not there or an empty one; write `/dev/null` for "
                "one that is not there, as `git diff` does",
            )
    # A file that is not there has a name too, if a time stamp says so.
    exact = NO_FILE not in {old, new} and old != new and stripped(old) == stripped(new) != b""
    names = [stripped(name) if exact else name for name in (old, new)]
    present = [None if gone else name for gone, name in zip(absent, names, strict=True)]
    return FileDiff(at + 1, present[0], present[1], exact=exact, hunks=hunks), end


def _starts_at_nothing(hunk: DiffHunk, place: int) -> bool:
    return not (hunk.old_start, hunk.new_start)[place]


def _read_binary(text: DiffText, at: int) -> tuple[FileDiff, int]:
    """Read a line `Binary files A and B differ`."""
    pair = text.lines[at].rstrip(b"\r")[len(_BINARY[0]) : -len(b" differ")]
    old, _, new = pair.rpartition(b" and ")
    names = [None if name == NO_FILE else name for name in (old, new)]
    if not old or names == [None, None]:
        raise text.error(at + 1, "the patch is damaged: a binary change without a name")
    return FileDiff(at + 1, names[0], names[1], exact=False, binary=True), at + 1


def _read_hunks(text: DiffText, at: int) -> tuple[tuple[DiffHunk, ...], int]:
    hunks: list[DiffHunk] = []
    while at < len(text.lines) and text.lines[at].startswith(b"@@ "):
        hunk, at = read_hunk(text, at)
        hunks.append(hunk)
    return tuple(hunks), at
