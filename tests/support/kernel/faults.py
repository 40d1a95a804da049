"""Small edits of a kernel tree: faults, harmless changes, and a repair, as unified diffs.

The edits are made on the C text of the tree under test, by patterns of a few tokens, so that one
edit fits several kernel versions and no kernel source is kept here.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

IOPORT = "arch/x86/kernel/ioport.c"
PROCESS = "arch/x86/kernel/process.c"


@dataclass(frozen=True)
class Edit:
    """One replacement in one file.

    Attributes:
        what: What it changes, in a few words.
        path: The file, relative to the tree.
        pattern: What to replace; it must occur (at least) once.
        replacement: What to put there (may refer to the pattern's groups).
        function: The C function that it changes.
        every: Whether to replace every occurrence, not exactly one.
    """

    what: str
    path: str
    pattern: str
    replacement: str
    function: str
    every: bool = False

    def apply(self, text: str) -> str:
        """Return the edited text; the pattern must fit."""
        after, count = re.subn(self.pattern, self.replacement, text, flags=re.DOTALL)
        assert count == 1 or (self.every and count > 1), f"{self.what}: fits {count} times"
        return after


REPAIR = Edit(
    "clear the flag after preempt_disable()",
    IOPORT,
    r"(clear_(?:tsk_)?thread_flag\((?:tsk, )?TIF_IO_BITMAP\);)(\s*/\*[^*]*\*/)?\s*"
    r"(preempt_disable\(\);)",
    r"\3\n\t\t\1\2",
    "task_update_io_bitmap",
)
"""Makes the trees hold under every event; see docs/findings.md."""

FAULTS = {
    "own-extent": Edit(
        "copy only the incoming map's own extent into the TSS",
        PROCESS,
        r"max\(tss->io_bitmap\.prev_max, iobm->max\)",
        "iobm->max",
        "tss_copy_io_bitmap",
    ),
    "sequence-kept": Edit(
        "do not take a new sequence number",
        IOPORT,
        r"iobm->sequence = atomic64_add_return\(1, &io_bitmap_sequence\);",
        "iobm->sequence = atomic64_read(&io_bitmap_sequence);",
        "ksys_ioperm",
    ),
    "switch-out": Edit(
        "do not invalidate the base on switch-out",
        PROCESS,
        r"(if \(tifp & _TIF_IO_BITMAP\)\s*)tss_invalidate_io_bitmap\(\);",
        r"\1return;",
        "switch_to_bitmap",
    ),
    "write-shared": Edit(
        "write into a shared bitmap without duplicating it",
        IOPORT,
        r"if \((refcount_read\(&iobm->refcnt\)) > 1\)",
        r"if (\1 > INT_MAX / 2)",
        "ksys_ioperm",
    ),
    "copied-count": Edit(
        "do not reset the copy's reference count",
        IOPORT,
        r"(kmemdup\(iobm.*?)refcount_set\(&iobm->refcnt, 1\);\s*",
        r"\1",
        "ksys_ioperm",
    ),
    "extent-first": Edit(
        "lower the dirty extent before the copy",
        PROCESS,
        r"(memcpy\(tss->io_bitmap\.bitmap.*?)\s*(tss->io_bitmap\.prev_max = iobm->max;)",
        r"\2\n\t\1",
        "tss_copy_io_bitmap",
    ),
    "flag-only": Edit(
        "clear the flag without invalidating the base",
        IOPORT,
        r"tss_update_io_bitmap\(\);",
        "barrier();",
        "task_update_io_bitmap",
    ),
    "exit-current": Edit(
        "take the map away from current, whichever task exits",
        IOPORT,
        r"(struct io_bitmap \*iobm = )tsk(->thread\.io_bitmap;\s*)tsk(->thread\.io_bitmap = NULL;)",
        r"\1current\2current\3",
        "io_bitmap_exit",
    ),
}
"""Each breaks the protocol."""

HARMLESS = {
    "exit-any": Edit(
        "drop the test `tsk == current` on exit",
        IOPORT,
        r"if \(tsk == current\)(\s*task_update_io_bitmap\(\);)",
        r"\1",
        "io_bitmap_exit",
    ),
    "renamed": Edit("rename a variable", IOPORT, r"\biobm\b", "new_map", "ksys_ioperm", every=True),
    "reordered": Edit(
        "swap two independent stores",
        PROCESS,
        r"(tss->io_bitmap\.prev_max = iobm->max;)(\s*)"
        r"(tss->io_bitmap\.prev_sequence = iobm->sequence;)",
        r"\3\2\1",
        "tss_copy_io_bitmap",
    ),
}
"""None changes what the code does. "exit-any" does not since task_update_io_bitmap() looks at
current only: for the child of a failed fork it sets current's flag to what it is already."""


def unified_diff(tree: Path, *edits: Edit) -> str:
    """Return the edits of a tree as one unified diff, as `git diff` writes it."""
    return diff_of(lambda path: (tree / path).read_text(), edits)


def diff_of(text: Callable[[str], str], edits: Iterable[Edit], *, undo: bool = False) -> str:
    """Return edits as one unified diff.

    Args:
        text: reads a file of what is edited.
        edits: the edits.
        undo: whether the diff is to take them back.
    """
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for edit in edits:
        if edit.path not in before:
            before[edit.path] = after[edit.path] = text(edit.path)
        after[edit.path] = edit.apply(after[edit.path])
    old, new = (after, before) if undo else (before, after)
    return "".join(_file_diff(path, old[path], new[path]) for path in before)


def _file_diff(path: str, before: str, after: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"a/{path}",
        f"b/{path}",
    )
    return f"diff --git a/{path} b/{path}\n" + "".join(lines)
