"""Finds on a kernel's console what it tells of a crash of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG_LEVEL: Final = "loglevel=5"
"""Option of a kernel whose console is to have warnings, too; it comes behind `quiet`."""
_CRASH: Final = re.compile(
    r"(BUG: |Oops: |general protection fault|kernel BUG at |WARNING: CPU: |Kernel panic)"
)
"""How the first line begins (lib/bug.c, arch/x86/mm/fault.c, arch/x86/kernel/traps.c, panic.c)."""
_PLACE: Final = re.compile(r"RIP: [0-9a-f]{4}:\S+")
"""Where it happened; a line behind the first."""


def crash_in(lines: Sequence[str]) -> str:
    """Return what the lines of a console tell of the first crash, with its place; else nothing."""
    for number, line in enumerate(lines):
        found = _CRASH.search(line)
        if found is not None:
            text = line[found.start() :].strip()
            places = (_PLACE.search(later) for later in lines[number:])
            place = next((each[0] for each in places if each is not None), "")
            return f"{text}; {place}" if place and place not in text else text
    return ""


def has_place(lines: Sequence[str]) -> bool:
    """Return whether the lines of a crash are there up to the one that has its place."""
    return any(_PLACE.search(line) for line in lines)
