"""Diffs of one small file, and applying them to a tree that has it."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest

from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.errors import KernelTreeError

if TYPE_CHECKING:
    from iopermit.kernel.build.source import Source

NAME = "kernel/a.c"
LINES = [f"line {number}" for number in range(1, 41)]


def diff(before: list[str], after: list[str], name: str = NAME, context: int = 3) -> str:
    """Return a unified diff of one file."""
    old = [f"{line}\n" for line in before]
    new = [f"{line}\n" for line in after]
    lines = difflib.unified_diff(old, new, f"a/{name}", f"b/{name}", n=context)
    return "".join(lines)


def text(lines: list[str]) -> bytes:
    """Return lines as a file's bytes."""
    return "".join(f"{line}\n" for line in lines).encode()


def edited(*changes: tuple[int, str | None]) -> list[str]:
    """Return LINES with some lines (counted from 1) replaced, or removed by None."""
    new: dict[int, str | None] = dict(changes)
    lines = [new.get(number, line) for number, line in enumerate(LINES, start=1)]
    return [line for line in lines if line is not None]


def apply(source: Source, *patches: str) -> Source:
    """Write patches to files and apply them."""
    files = []
    for number, patch in enumerate(patches):
        files.append(source.tree.parent / f"{number}.patch")
        files[-1].write_text(patch)
    return apply_patches(source, files)


def reason(source: Source, *patches: str) -> str:
    """Return why patches are refused."""
    with pytest.raises(KernelTreeError) as error:
        apply(source, *patches)
    return str(error.value)
