"""Puts a report on standard output, in colour where that can be seen and is wanted."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Sequence
from typing import Final

from iopermit.cli.process.streams import printable
from iopermit.report.text import WIDTH, Line

_NARROWEST: Final = 60
_WIDEST: Final = 200
"""Columns of a report on a terminal: below tables have no room, above eyes lose the line."""


def columns() -> int:
    """Return how wide a report is: as the terminal, and always the same in files and pipes."""
    if not sys.stdout.isatty():
        return WIDTH
    return max(_NARROWEST, min(_WIDEST, shutil.get_terminal_size((WIDTH, 0)).columns))


def in_colour() -> bool:
    """Return whether standard output is a terminal and NO_COLOR (no-color.org) is not set."""
    return (
        sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    )


def as_text(lines: Sequence[Line], *, colour: bool) -> str:
    """Return the lines of a report, with escape sequences for colours if wanted, and no others."""
    texts = [printable(line.text, kept="") for line in lines]
    if not colour:
        return "".join(f"{text}\n" for text in texts)
    from rich.console import Console  # only for terminals
    from rich.text import Text  # only for terminals

    buffer = io.StringIO()
    console = Console(file=buffer, force_terminal=True, highlight=False)
    for line, text in zip(lines, texts, strict=True):
        console.print(Text(text, style=line.style), soft_wrap=True)
    return buffer.getvalue()
