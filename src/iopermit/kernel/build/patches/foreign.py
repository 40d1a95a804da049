"""Refuses lines outside of hunks that look like a part of a patch and would not be applied."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from iopermit.kernel.build.patches.names import shown

if TYPE_CHECKING:
    from iopermit.kernel.build.patches.text import DiffText

_COMBINED: Final = re.compile(rb"diff --(?:cc|combined) |@@@+ ")
_HUNK: Final = re.compile(rb"@@ -[0-9]+(?:,[0-9]+)? \+[0-9]")
_QUOTED: Final = re.compile(
    rb"(?:[ \t]*+(?:[>|][ \t]?)++|[ \t]++)(?:diff --git |@@ -[0-9]+(?:,[0-9]+)? \+[0-9]"
    rb"|--- a/|\+\+\+ b/)"
)
_EXTENDED: Final = re.compile(
    rb"(?:(?:old|new) mode|(?:deleted|new) file mode) [0-7]{6}"
    rb"|(?:copy|rename) (?:from|to) [^\s/]*+/\S*+|(?:dis)?similarity index [0-9]+%"
    rb"|index [0-9a-f]{7,64}\.\.[0-9a-f]{7,64}(?: [0-7]{6})?"
)
_OTHER_FORMS: Final = re.compile(
    rb"\*{15}|\*\*\* [0-9]+,[0-9]+ \*{4}|[0-9]+(?:,[0-9]+)?[acd][0-9]+(?:,[0-9]+)?"
)
"""Lines of context diffs, and of `diff` without an option."""
_ONLY: Final = re.compile(rb"Only in [^\s:]++: \S++")
"""What `diff -r` says of a file that one of two directories has."""
_LONGEST: Final = 4096


def refuse_foreign(text: DiffText, at: int, *, first: bool) -> None:
    """Require that a line outside of hunks can be passed over.

    Args:
        text: The text.
        at: The line, counted from 0.
        first: Whether no header of a file came before it, so that it belongs to a log message,
            which may quote a patch.

    Raises:
        PatchError: It looks like a part of a patch; the message says what to give.
    """
    line = text.lines[at][:_LONGEST].rstrip(b"\r")
    if _COMBINED.match(line):
        raise text.error(
            at + 1,
            "a combined diff, as `git show` prints it of a merge, does not say what changes; "
            "give the diff against one parent: `git diff MERGE^1 MERGE`",
        )
    if _HUNK.match(line):
        raise text.error(
            at + 1,
            f"the hunk {shown(line)} belongs to no file; a header (`--- a/FILE` and "
            "`+++ b/FILE`) is missing or damaged",
        )
    if _EXTENDED.fullmatch(line) or line == b"GIT binary patch":
        raise text.error(
            at + 1, f"a header is damaged: {shown(line)!r} stands outside of one (`diff --git ...`)"
        )
    if _ONLY.fullmatch(line):
        raise text.error(
            at + 1,
            f"{shown(line)!r}: a file is missing in the patch; make it with `diff -N`",
        )
    if not first:
        _refuse_behind(text, at, line)


def _refuse_behind(text: DiffText, at: int, line: bytes) -> None:
    """Refuse what may stand in a log message only."""
    if _QUOTED.match(line):
        raise text.error(
            at + 1,
            "a part of a patch is quoted or indented, and would not be applied: "
            f"{shown(line)!r}; give the patch itself",
        )
    if line.startswith((b"+++ ", b"\\ No newline")) or _OTHER_FORMS.fullmatch(line):
        raise text.error(
            at + 1,
            f"a part of a patch that is damaged or no unified diff: {shown(line)!r}; "
            "make it with `git diff` or `diff -u`",
        )
