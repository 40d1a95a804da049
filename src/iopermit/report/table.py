"""The tables of the report: the timeline in few lines, and every step with its source."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Final

from iopermit.arch import format_ranges
from iopermit.report import words
from iopermit.report.timeline import timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iopermit.engine.trace import TraceStep, TssState
    from iopermit.report.timeline import TimelineRow

_GAP: Final = "  "
_USUAL_WIDTH: Final = 100
_NARROW: Final = 80
"""Columns below which a source is told without its directories."""
_MOST_BITS: Final = 30
"""Columns of the clear bits before they are wrapped, in the usual width."""
_TEXT, _LEAST_TEXT, _LEAST_BITS, _LEAST_BASE = 30, 14, 12, 8
"""Columns that are left to cells which wrap: what happens, at first and at last, and the TSS."""

Cells = list[str]


def timeline_table(trace: Sequence[TraceStep], width: int) -> list[str]:
    """Return the timeline, heading first, in at most `width` columns."""
    rows = timeline(trace)
    cpus = sorted({row.cpu for row in rows})
    head = [
        "step", *(f"CPU {cpu}" for cpu in cpus),
        "what happens", "I/O map base", "clear bits in the TSS",
    ]  # fmt: skip
    body = [timeline_cells(number, row, cpus) for number, row in enumerate(rows, 1)]
    text, base, bits = range(len(head) - 3, len(head))
    most = {bits: _MOST_BITS + max(0, width - _USUAL_WIDTH)}
    shrinking = [(text, _TEXT), (bits, _LEAST_BITS), (base, _LEAST_BASE), (text, _LEAST_TEXT)]
    return _aligned(head, body, _fitted([head, *body], width, most, shrinking))


def timeline_cells(number: int, row: TimelineRow, cpus: list[int]) -> Cells:
    """Return the cells of a line of the timeline, by the CPUs that the table has."""
    who = [row.who if cpu == row.cpu else "" for cpu in cpus]
    return [f"{number:>4}", *who, row.what, row.base, row.clear]


def steps_table(trace: Sequence[TraceStep], width: int) -> list[str]:
    """Return every atomic step with its place in the source, and every change of a TSS."""
    head = ["step", "CPU", "task", "source", "what happens"]
    body = []
    before: dict[int, TssState] = {}
    for step in trace:
        place = "" if step.source is None else words.place(step.source)
        source = place.rpartition("/")[2] if width < _NARROW else place
        body.append([f"{step.number:>4}", str(step.cpu), step.who, source, words.step_text(step)])
        after = step.after
        if before.get(step.cpu) != after:
            before[step.cpu] = after
            body.append(["", "", "", "", f"  => {_tss(after)}"])
    return laid_out(head, body, width, wrapped=4)


def _tss(tss: TssState) -> str:
    limit = ", limit 0x67" if tss.limit_low else ""
    return f"I/O map base {tss.io_map_base}{limit}, clear bits {format_ranges(tss.clear)}"


def _fitted(
    table: list[Cells], width: int, most: dict[int, int], shrinking: list[tuple[int, int]]
) -> list[int]:
    """Return the widths of columns, so that a line has at most `width` columns if that can be.

    Args:
        table: the cells, heading first.
        width: of a line.
        most: how wide a column can be, if that is limited.
        shrinking: columns that give way, one after the other, and how much of each stays.
    """
    widths = [
        min(max(len(cells[column]) for cells in table), most.get(column, width))
        for column in range(len(table[0]))
    ]
    over = 1 + sum(widths) + len(_GAP) * (len(widths) - 1) - width
    for column, least in shrinking:
        cut = max(0, min(over, widths[column] - least))
        widths[column] -= cut
        over -= cut
    return widths


def laid_out(head: Cells, body: list[Cells], width: int, *, wrapped: int) -> list[str]:
    """Return the lines of a table of which one column takes what room is left, and wraps."""
    last = len(head) - 1
    most = {} if wrapped == last else {last: _MOST_BITS}
    return _aligned(head, body, _fitted([head, *body], width, most, [(wrapped, _LEAST_TEXT)]))


def _aligned(head: Cells, body: list[Cells], widths: list[int]) -> list[str]:
    """Return the lines of a table, its cells aligned, those that are too long wrapped."""
    return [line for cells in [head, *body] for line in _lines(cells, widths)]


def _lines(cells: Cells, widths: list[int]) -> Iterator[str]:
    parts = [
        textwrap.wrap(cell, size, break_on_hyphens=False) if len(cell) > size else [cell]
        for cell, size in zip(cells, widths, strict=True)
    ]
    for line in itertools.zip_longest(*parts, fillvalue=""):
        padded = (text.ljust(size) for text, size in zip(line, widths, strict=True))
        yield (" " + _GAP.join(padded)).rstrip()
