"""Costs of designs as text, as Markdown tables and as JSON, schema "iopermit/cost/1"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from iopermit.system.running.cost import COLUMNS, PATHS
from iopermit.system.running.counting import Cost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iopermit.system.running.cost import Cell, Costs

SCHEMA: Final = "iopermit/cost/1"
"""Version of the format; another number means that a reader has to change."""

LEGEND: Final = (
    "TSS: bytes of the TSS written (bitmap, and 2 for each store to the I/O map base); "
    "map: bytes of tasks' bitmaps read; base: stores to the I/O map base; TR: reloads of TR"
)

Table = list[list[str]]

_FIELDS: Final = ("TSS", "map", "base", "TR")
_FEW_PATHS: Final = (
    "switch-in",
    "switch-in, user",
    "alternate",
    "alternate, user",
    "first access",
    "switch-out",
    "ioperm first",
    "ioperm first, user",
    "fork",
)
"""What the side-by-side table shows."""


def cost_json(costs: Mapping[str, Costs]) -> dict[str, Any]:
    """Return costs by design as an object of JSON."""
    designs = [
        {
            "subject": subject,
            "columns": {
                column: {path: _cell_json(cell) for path, cell in cells.items()}
                for column, cells in columns.items()
            },
        }
        for subject, columns in costs.items()
    ]
    return {"schema": SCHEMA, "paths": dict(PATHS), "designs": designs}


def _cell_json(cell: Cell) -> dict[str, int] | str:
    if isinstance(cell, str):
        return cell
    return {
        "tss_written": cell.tss_written,
        "map_written": cell.map_written,
        "map_read": cell.map_read,
        "base_stores": cell.base_stores,
        "task_register_loads": cell.task_register_loads,
    }


def design_table(costs: Costs) -> Table:
    """Return the costs of one design: a row per path, four figures per column; headings first."""
    head = ["path", *(f"{column}: {_FIELDS[0]}" if field == 0 else _FIELDS[field]
                      for column in COLUMNS for field in range(len(_FIELDS)))]  # fmt: skip
    body = [[path, *(text for c in COLUMNS for text in _figures(costs[c][path]))] for path in PATHS]
    return [head, *body]


def _figures(cell: Cell) -> list[str]:
    if isinstance(cell, str):
        return [cell, "", "", ""]
    figures = (cell.tss_written, cell.map_read, cell.base_stores, cell.task_register_loads)
    return [str(figure) for figure in figures]


def comparison_table(costs: Mapping[str, Costs], column: str) -> Table:
    """Return bytes of the TSS written by several designs: a row per design, headings first."""
    body = [
        [subject, *(_short(columns[column][path]) for path in _FEW_PATHS)]
        for subject, columns in costs.items()
    ]
    return [["bytes of the TSS written", *_FEW_PATHS], *body]


def _short(cell: Cell) -> str:
    return cell if isinstance(cell, str) else str(cell.tss_written)


def cost_text(costs: Mapping[str, Costs]) -> str:
    """Return a table for each design, and the side-by-side ones for several."""
    parts = []
    for subject, columns in costs.items():
        parts.append(f"{subject}\n{aligned(design_table(columns))}")
    parts.append(f"{LEGEND}\n" + "".join(f"  {path}: {text}\n" for path, text in PATHS.items()))
    if len(costs) > 1:
        parts += [
            f"{column}\n{aligned(comparison_table(costs, column))}"
            for column, port in COLUMNS.items()
            if port is not None
        ]
    return "\n".join(parts)


def aligned(table: Table) -> str:
    """Return a table as text: the first column left-aligned, the others right-aligned."""
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    lines = []
    for row in table:
        cells = [row[0].ljust(widths[0])]
        cells += [text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip() + "\n")
    return "".join(lines)


def markdown(table: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, headings first."""
    head, *body = [f"| {' | '.join(cell or ' ' for cell in row)} |\n" for row in table]
    return head + "|" + " --- |" * len(table[0]) + "\n" + "".join(body)


def total(costs: Costs, column: str, paths: Sequence[str]) -> Cost | None:
    """Return what several paths cost together, without missing ones; None if one has no figure."""
    cells = [costs[column][path] for path in paths]
    if any(isinstance(cell, str) and cell != "-" for cell in cells):
        return None
    return sum((cell for cell in cells if isinstance(cell, Cost)), Cost())
