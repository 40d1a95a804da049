"""The header that git writes above the hunks of a file: names, modes, renames."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.kernel.build.patches.names import NO_FILE, BadNameError, shown, stripped, unquoted

if TYPE_CHECKING:
    from iopermit.kernel.build.patches.text import DiffText

GIT: Final = b"diff --git "
EXTENDED: Final = re.compile(
    rb"(old mode|new mode|deleted file mode|new file mode|copy from|copy to|rename from|rename to"
    rb"|similarity index|dissimilarity index|index) (.+)",
    re.DOTALL,
)
_MODE: Final = re.compile(rb"[0-7]{6}")
_INDEX: Final = re.compile(rb"([0-9a-f]{1,64})\.\.([0-9a-f]{1,64})(?: ([0-7]{6}))?")
_EMPTY: Final = (
    "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
    "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
)
"""The names that git gives to an empty file, in both of its formats."""
_LONGEST: Final = 16_384
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)


@dataclass(frozen=True)
class GitHeader:
    """What a header says.

    Attributes:
        line: Its first line, counted from 1.
        old: The name before; `None` if the file is created.
        new: The name afterwards; `None` if it is deleted.
        copied: Whether the old file stays.
        renamed: Whether the names differ, and the old file goes.
        old_mode: The mode before, if it is stated.
        new_mode: The mode afterwards, if it is stated.
        wants_hunks: Whether the content changes.
        takes_hunks: Whether the lines `---` and `+++` are there, behind which hunks may follow.
    """

    line: int
    old: bytes | None
    new: bytes | None
    copied: bool
    renamed: bool
    old_mode: bytes | None
    new_mode: bytes | None
    wants_hunks: bool
    takes_hunks: bool


@dataclass
class _Reader:
    text: DiffText
    at: int
    fields: dict[bytes, bytes] = field(default_factory=dict)
    named: tuple[bytes, bytes] | None = None
    """What the lines `---` and `+++` name."""

    def fail(self, what: str) -> Exception:
        return self.text.error(self.at + 1, f"the patch is damaged: {what}")

    def moved(self) -> tuple[bytes, bytes] | None:
        """Return the names of a rename or a copy."""
        found = None
        for kind in (b"rename", b"copy"):
            ends = [self.fields.get(kind + end) for end in (b" from", b" to")]
            if ends == [None, None]:
                continue
            if None in ends or found:
                raise self.fail("it says what is renamed or copied in part only, or twice")
            found = (unquoted(ends[0] or b""), unquoted(ends[1] or b""))
        return found

    def names(self) -> tuple[bytes, bytes]:
        """Return the names, without prefixes, of the file before and afterwards."""
        line = self.text.lines[self.at][len(GIT) :].rstrip(b"\r")
        moved = self.moved()
        pair = _quoted_pair(line) if b'"' in {line[:1], line[-1:]} else self._pair(line, moved)
        names = _without_prefixes(*pair, moved) if pair and self._agree(*pair) else None
        if names is None:
            raise self.fail(f"the lines of its header name different files, or none: {shown(line)}")
        return names

    def _pair(self, line: bytes, moved: tuple[bytes, bytes] | None) -> tuple[bytes, bytes] | None:
        """Split two names at a space, of which the names may have more."""
        place = len(line) // 2
        if self.named is not None:
            one, other = self.named
            place = len(line) - len(other) - 1 if one == NO_FILE else len(one)
        elif moved is not None:
            place = line.rfind(b" ", 0, max(len(line) - len(moved[1]), 0))
        if place < 0 or line[place : place + 1] != b" ":
            return None
        return line[:place], line[place + 1 :]

    def _agree(self, one: bytes, other: bytes) -> bool:
        """Return whether the lines `---` and `+++` name the same files as the first line."""
        pairs = zip(self.named or (), (one, other), strict=False)
        return all(name in {NO_FILE, wanted} for name, wanted in pairs)


def _quoted_pair(text: bytes) -> tuple[bytes, bytes] | None:
    """Split two names of which one or both are quoted."""
    if text.startswith(b'"'):
        first = _QUOTED.match(text)
        rest = text[first.end() :] if first else b""
        return (unquoted(first[0]), unquoted(rest[1:])) if first and rest[:1] == b" " else None
    one, _, other = text.partition(b' "')
    return one, unquoted(b'"' + other)


def _without_prefixes(
    one: bytes, other: bytes, moved: tuple[bytes, bytes] | None
) -> tuple[bytes, bytes] | None:
    """Return the names in the tree, if these can be those of a header."""
    if moved is None and one == other:
        return one, other
    short = stripped(one), stripped(other)
    if moved is None:
        return short if short[0] and short[0] == short[1] else None
    return moved if moved in {short, (one, other)} else None


def read_git_header(text: DiffText, at: int) -> tuple[GitHeader, int]:
    """Read the header that begins with a line, counted from 0.

    Returns:
        The header, and the number of the line behind it: of a hunk, if it has some.

    Raises:
        PatchError: Its lines contradict each other, or some are missing.
    """
    reader, lines = _Reader(text, at), text.lines
    if len(lines[at]) > _LONGEST:
        raise reader.fail("the names of its header are too long")
    end = at + 1
    while end < len(lines) and (match := EXTENDED.fullmatch(lines[end].rstrip(b"\r"))):
        if match[1] in reader.fields:
            raise text.error(end + 1, f"the patch is damaged: {shown(match[1])} is there twice")
        reader.fields[match[1]] = match[2]
        end += 1
    try:
        if end + 1 < len(lines) and lines[end].startswith(b"--- "):
            reader.named = read_names(text, end)
            end += 2
        return _header(reader), end
    except BadNameError as error:
        raise text.error(at + 1, f"the patch is damaged: {error}") from error


def read_names(text: DiffText, at: int) -> tuple[bytes, bytes]:
    """Return the names of the lines `---` and `+++`, without time stamps.

    Raises:
        BadNameError: A quoted name is damaged.
        PatchError: There is no line `+++`.
    """
    if not text.lines[at + 1].startswith(b"+++ "):
        raise text.error(at + 2, "the patch is damaged: `+++ FILE` is missing")
    return name_of(text.lines[at][4:]), name_of(text.lines[at + 1][4:])


def name_of(text: bytes) -> bytes:
    """Return the name that a line `---` or `+++` has, without a time stamp.

    Raises:
        BadNameError: A quoted name is damaged.
    """
    return unquoted(text.partition(b"\t")[0])


def _header(reader: _Reader) -> GitHeader:
    old, new = reader.names()
    fields = reader.fields
    created, deleted = b"new file mode" in fields, b"deleted file mode" in fields
    moved = {b"rename from", b"copy from"} & fields.keys()
    if created + deleted + bool(moved) > 1:
        raise reader.fail("its header says both that a file is new and that it was there before")
    said = tuple(name == NO_FILE for name in reader.named) if reader.named else (created, deleted)
    if said != (created, deleted):
        raise reader.fail("only one of its lines says that a file is created or deleted")
    index = _INDEX.fullmatch(fields.get(b"index", b""))
    if b"index" in fields and index is None:
        raise reader.fail(f"damaged line: index {shown(fields[b'index'])}")
    both = index[3] if index else None
    stated = {b"old mode", b"new mode"} & fields.keys()
    if len(stated) == 1 or (stated and (created or deleted)) or (both and (stated or created)):
        raise reader.fail("its modes contradict each other, or one is missing")
    return GitHeader(
        reader.at + 1,
        None if created else old,
        None if deleted else new,
        copied=b"copy from" in fields,
        renamed=b"rename from" in fields,
        old_mode=_mode(reader, b"deleted file mode", b"old mode") or both,
        new_mode=_mode(reader, b"new file mode", b"new mode") or both,
        wants_hunks=_wants_hunks(reader, index),
        takes_hunks=reader.named is not None,
    )


def _mode(reader: _Reader, *names: bytes) -> bytes | None:
    for name in names:
        if name in reader.fields:
            if _MODE.fullmatch(reader.fields[name]) is None:
                raise reader.fail(f"damaged mode: {shown(reader.fields[name])}")
            return reader.fields[name]
    return None


def _wants_hunks(reader: _Reader, index: re.Match[bytes] | None) -> bool:
    """Return whether the header says that the content changes."""
    fields = reader.fields
    if reader.named is not None:
        return True
    if index is not None:
        before, after = (one.decode() for one in index.groups()[:2])
        empty = (b"new file mode" in fields and _is_empty(after)) or (
            b"deleted file mode" in fields and _is_empty(before)
        )
        return before != after and not empty
    similarity = fields.get(b"similarity index", b"100%")
    # Without a line `index`: a mode, a rename, an empty file. Else the header is cut off.
    return similarity != b"100%" or not (fields.keys() - {b"similarity index"})


def _is_empty(name: str) -> bool:
    return any(known.startswith(name) for known in _EMPTY)
