"""Costs of kernel trees as text and as JSON, beside those of designs, schema "iopermit/cost/1"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from iopermit.report.cost import SCHEMA, aligned
from iopermit.system.running.cost import COLUMNS, PATHS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.kernel.cost import KernelCell, KernelCosts

LEGEND: Final = (
    "instr: instructions retired; moved: bytes that they read and wrote, stack included; "
    "TSS: bytes of the TSS written (bitmap and I/O map base); TR: reloads of TR"
)
_FIELDS: Final = ("instr", "moved", "TSS", "TR")
_NOT_MEASURED: Final = "first access"
"""A path that no kernel tree has."""


def tree_costs_json(
    costs: Mapping[str, KernelCosts], sandboxed: Mapping[str, bool]
) -> dict[str, Any]:
    """Return costs by tree as an object of JSON.

    Args:
        costs: The costs.
        sandboxed: Whether each tree was built in a sandbox.
    """
    trees = [
        {
            "subject": subject,
            "sandboxed": sandboxed[subject],
            "columns": {
                column: {path: _cell_json(cell) for path, cell in cells.items()}
                for column, cells in columns.items()
            },
        }
        for subject, columns in costs.items()
    ]
    return {"schema": SCHEMA, "paths": dict(PATHS), "designs": [], "trees": trees}


def _cell_json(cell: KernelCell) -> dict[str, int] | str:
    if isinstance(cell, str):
        return cell
    return {
        "instructions": cell.instructions,
        "bytes_read": cell.bytes_read,
        "bytes_written": cell.bytes_written,
        "tss_written": cell.tss_written,
        "map_written": cell.map_written,
        "map_read": cell.map_read,
        "base_stores": cell.base_stores,
        "task_register_loads": cell.task_register_loads,
    }


def tree_costs_text(costs: Mapping[str, KernelCosts]) -> str:
    """Return a table for each tree, and the side-by-side ones for several."""
    parts = [f"{subject}\n{aligned(tree_table(columns))}" for subject, columns in costs.items()]
    texts = [f"  {path}: {text}\n" for path, text in PATHS.items() if path != _NOT_MEASURED]
    parts.append(f"{LEGEND}\n" + "".join(texts))
    if len(costs) > 1:
        parts += [f"{column}\n{aligned(_side_by_side(costs, column))}" for column in COLUMNS]
    return "\n".join(parts)


def tree_table(costs: KernelCosts) -> list[list[str]]:
    """Return the costs of one tree: a row per path, four figures per column; headings first."""
    heads = [f"{c}: {_FIELDS[0]}" if f == _FIELDS[0] else f for c in COLUMNS for f in _FIELDS]
    body = [
        [path, *(text for column in COLUMNS for text in _figures(costs[column][path]))]
        for path in PATHS
        if path != _NOT_MEASURED
    ]
    return [["path", *heads], *body]


def _figures(cell: KernelCell) -> list[str]:
    if isinstance(cell, str):
        return [cell, *[""] * (len(_FIELDS) - 1)]
    moved = cell.bytes_read + cell.bytes_written
    return [str(n) for n in (cell.instructions, moved, cell.tss_written, cell.task_register_loads)]


def _side_by_side(costs: Mapping[str, KernelCosts], column: str) -> list[list[str]]:
    """Return instructions and bytes moved of several trees: a row per path, headings first."""
    heads = [text for subject in costs for text in (f"{subject}: instr", "moved")]
    body = [
        [
            path,
            *(text for columns in costs.values() for text in _figures(columns[column][path])[:2]),
        ]
        for path in PATHS
        if path != _NOT_MEASURED
    ]
    return [["path", *heads], *body]
