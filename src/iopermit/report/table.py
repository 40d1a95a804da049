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
_LEAST_TEXT: Final = 30
_MOST_BITS: Final = 30
"""Columns of the clear bits before they are wrapped."""

Cells = list[str]


def timeline_table(trace: Sequence[TraceStep], width: int) -> list[str]:
    """Return the timeline, heading first, in at most `width` columns."""
    rows = timeline(trace)
    cpus = sorted({row.cpu for row in rows})
    head = [
        "step", *(f"CPU {cpu}" for cpu in cpus),
        "what happens", "I/O map base", "clear bits in the TSS",
    ]  # fmt: skip
    body = [_timeline_cells(number, row, cpus) for number, row in enumerate(rows, 1)]
    return _laid_out(head, body, width, wrapped=len(cpus) + 1)


def _timeline_cells(number: int, row: TimelineRow, cpus: list[int]) -> Cells:
    who = [row.who if cpu == row.cpu else "" for cpu in cpus]
    return [f"{number:>4}", *who, row.what, row.base, row.clear]


def steps_table(trace: Sequence[TraceStep], width: int) -> list[str]:
    """Return every atomic step with its place in the source, and every change of a TSS."""
    head = ["step", "CPU", "task", "source", "what happens"]
    body = []
    before: dict[int, TssState] = {}
    for step in trace:
        source = words.place(step.source) if step.source else ""
        body.append([f"{step.number:>4}", str(step.cpu), step.who, source, words.step_text(step)])
        after = step.after
        if before.get(step.cpu) != after:
            before[step.cpu] = after
            body.append(["", "", "", "", f"  => {_tss(after)}"])
    return _laid_out(head, body, width, wrapped=4)


def _tss(tss: TssState) -> str:
    limit = ", limit 0x67" if tss.limit_low else ""
    return f"I/O map base {tss.io_map_base}{limit}, clear bits {format_ranges(tss.clear)}"


def _laid_out(head: Cells, body: list[Cells], width: int, *, wrapped: int) -> list[str]:
    """Align the cells; column `wrapped` takes what room is left, and wraps."""
    table = [head, *body]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(head))]
    if wrapped != len(head) - 1:
        widths[-1] = min(widths[-1], _MOST_BITS)
    room = width - 1 - sum(widths) - len(_GAP) * (len(widths) - 1)
    widths[wrapped] = max(_LEAST_TEXT, widths[wrapped] + min(0, room))
    return [line for cells in table for line in _lines(cells, widths)]


def _lines(cells: Cells, widths: list[int]) -> Iterator[str]:
    parts = [
        textwrap.wrap(cell, size, break_on_hyphens=False) if len(cell) > size else [cell]
        for cell, size in zip(cells, widths, strict=True)
    ]
    for line in itertools.zip_longest(*parts, fillvalue=""):
        padded = (text.ljust(size) for text, size in zip(line, widths, strict=True))
        yield (" " + _GAP.join(padded)).rstrip()
