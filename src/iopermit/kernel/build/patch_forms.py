"""Refuses what looks like a change and would not be applied: half a patch gets no verdict."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from unidiff.patch import PatchedFile

_COMBINED: Final = re.compile(r"^(?:diff --(?:cc|combined) |@@@+ )")
_HUNK: Final = re.compile(r"^@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@")
_HEADER: Final = re.compile(r"^(?:diff --git |--- \S|\+\+\+ \S)")
_QUOTED: Final = re.compile(
    r"^(?:[ \t]*(?:[>|][ \t]?)+|[ \t]+)(?:diff --git |@@ -\d+(?:,\d+)? \+\d|--- a/|\+\+\+ b/)"
)
_WITHOUT_HUNKS: Final = (
    *("rename from ", "copy from ", "similarity index ", "old mode ", "new file mode "),
    *("deleted file mode ", "Binary files ", "GIT binary patch"),
)
"""What a header says if it needs no hunks: a file moved, made executable, created empty."""


def require_complete(files: Sequence[PatchedFile], lines: Sequence[str], patch: Path) -> None:
    """Require that all that looks like a part of a patch was read as one.

    Args:
        files: what was read.
        lines: the text.
        patch: where it comes from, for messages.

    Raises:
        KernelTreeError: something would be left out; the message names the line and the remedy.
    """
    inside = {line.diff_line_no for file in files for hunk in file for line in hunk}
    outside = [(n, line) for n, line in enumerate(lines, 1) if n not in inside]
    for number, line in outside:
        if _COMBINED.match(line):
            raise KernelTreeError(
                f"{patch}, line {number}: a combined diff, as `git show` prints it of a merge, "
                "does not say what changes; give the diff against one parent: "
                "`git diff MERGE^1 MERGE`"
            )
    first = next((number for number, line in outside if _HEADER.match(line)), len(lines))
    for number, line in outside:
        if number > first and _QUOTED.match(line):
            raise KernelTreeError(
                f"{patch}, line {number}: a part of a patch is quoted or indented, and would not "
                f"be applied: {line.rstrip()!r}; give the patch itself"
            )
    found = [number for number, line in outside if _HUNK.match(line)]
    read = sum(len(file) for file in files)
    if len(found) != read:
        raise KernelTreeError(
            f"{patch} has {len(found)} hunks, of which {read} belong to a file; "
            "a header (`--- a/FILE` and `+++ b/FILE`) is missing or damaged"
        )
    for file in files:
        info = [str(line) for line in file.patch_info or ()]
        if not len(file) and not any(line.startswith(_WITHOUT_HUNKS) for line in info):
            raise KernelTreeError(
                f"{patch}: the header of {file.path} has no hunks; the patch was cut off"
            )
