"""By what state of the kernel the debugger recognises that a statement was executed.

A statement of a design, or a line of C, is known by what it stores: whichever instruction of the
kernel does that, the place behind it is the same point of the schedule.
"""

from __future__ import annotations

import ast
import enum
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.engine.trace import TraceStep


class LeftState(enum.Enum):
    """What a statement leaves behind. The value says it in words."""

    FLAG_CLEARED = "TIF_IO_BITMAP of the task is cleared"
    MAP_DROPPED = "the task's pointer to its map is NULL"


_DESIGN: Final = {
    ("tif_io_bitmap", "False"): LeftState.FLAG_CLEARED,
    ("io_bitmap", "NULL"): LeftState.MAP_DROPPED,
}
"""What assignments to a task's fields leave, in the designs of Linux 5.5 and later."""
_C: Final = (
    (
        re.compile(r"clear_(?:tsk_)?thread_flag\((?:\w+, *)?TIF_IO_BITMAP\)"),
        LeftState.FLAG_CLEARED,
    ),
    (re.compile(r"->(?:thread\.)?io_bitmap = NULL\b"), LeftState.MAP_DROPPED),
)
"""The same in C, arch/x86/kernel/ioport.c."""
_CONTROL: Final = ("if ", "while ", "for ", "with ", "return", "else", "elif ", "assert ")


def left_state(steps: Iterable[TraceStep]) -> tuple[LeftState | None, str]:
    """Return what the last of some steps that stored anything left, and its statement.

    None if that cannot be seen; the statement is empty if none of them stored anything.
    """
    for step in reversed(list(steps)):
        text = "" if step.source is None else step.source.text.strip()
        for pattern, state in _C:
            if pattern.search(text):
                return state, text
        stored = _stored(text)
        if stored is not None:
            return _DESIGN.get(stored), text
    return None, ""


def _stored(text: str) -> tuple[str, str] | None:
    """Return field and value that a statement of a design stores; None if it stores nothing."""
    if not text.strip("{}") or text.startswith(_CONTROL):
        return None
    try:
        (statement,) = ast.parse(text).body
    except (SyntaxError, ValueError):
        return "", text
    if isinstance(statement, ast.Assign):
        (target,) = statement.targets[-1:]
        if isinstance(target, ast.Name):
            return None  # a local variable
        if isinstance(target, ast.Attribute):
            return target.attr, ast.unparse(statement.value)
    return "", text
