"""The page with the verdicts of all designs, whose violated cells lead to their reports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from iopermit.report.compare import cell_text
from iopermit.report.compare_json import matrix_from_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.engine.comparison import Cell, Rung

DATA: Final = Path(__file__).resolve().parents[2] / "docs" / "data" / "matrix.json"

_HEAD: Final = """\
# The matrix, with reports

A row for each [design](glossary.md#design), a column for each set of [events](glossary.md#event). A
violated cell leads to its report: the shortest schedule, the TSS after each step, and the line of
the design. The first word says what was found: a [leak](glossary.md#leak), a
[loss](glossary.md#loss), a [crash](glossary.md#crash) or [garbage](glossary.md#garbage). *Holds*
says that every state of a scenario up to 2 CPUs, 2 tasks and 2 longs was visited
([what that means](explanation/what-holds-means.md)). How the table is made:
[designs](designs.md#verdicts).
"""


class Report(NamedTuple):
    """The report of a violated cell: its file, and what was searched."""

    file: str
    subject: str
    events: str
    rung: Rung


def cells() -> Iterator[tuple[str, str, Cell]]:
    """Yield row, column and content of every cell of the committed matrix."""
    matrix = matrix_from_json(json.loads(DATA.read_text(encoding="utf-8")))
    for subject, columns in matrix.items():
        for events, cell in columns.items():
            yield subject, events, cell


def reports() -> Iterator[Report]:
    """Yield a report for each violated cell."""
    for subject, events, cell in cells():
        if cell.decisive is not None and cell.decisive.outcome == "violated":
            yield Report(f"{_slug(subject)}-{events}.html", subject, events, cell.decisive)


def wanted_reports() -> list[str]:
    """Return the names of the files of all reports."""
    return [report.file for report in reports()]


def matrix_markdown() -> str:
    """Return the page in Markdown."""
    files = {(report.subject, report.events): report.file for report in reports()}
    rows: dict[str, list[str]] = {}
    columns: dict[str, None] = {}
    for subject, events, cell in cells():
        columns[events] = None
        text = cell_text(cell)
        file = files.get((subject, events))
        shown = f"[{text}](reports/{file})" if file else text
        rows.setdefault(subject, [f"`{subject}`"]).append(shown)
    heads = [name.replace("-without-", ", without ") for name in columns]
    lines = [_line(["design", *heads]), _line(["---"] * (len(heads) + 1))]
    return "\n".join([_HEAD, *lines, *map(_line, rows.values())]) + "\n"


def _line(parts: list[str]) -> str:
    return f"| {' | '.join(parts)} |"


def _slug(subject: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", subject)
