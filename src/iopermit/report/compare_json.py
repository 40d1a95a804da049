"""The matrix of designs and event sets as JSON, schema "iopermit/compare/1", and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from iopermit.engine.comparison import Cell, Rung, event_sets

if TYPE_CHECKING:
    from iopermit.engine.comparison import EventSets, Matrix

SCHEMA: Final = "iopermit/compare/1"
"""Version of the format; another number means that a reader has to change."""


def matrix_json(matrix: Matrix, sets: EventSets | None = None) -> dict[str, Any]:
    """Return a matrix as an object of JSON; `sets` are its columns, if not those of today."""
    names, sets = next(iter(matrix.values()), {}), sets or event_sets()
    return {
        "schema": SCHEMA,
        "events": {name: sorted(event.name for event in sets[name]) for name in names},
        "rows": [
            {"subject": subject, "cells": {name: _cell(cell) for name, cell in cells.items()}}
            for subject, cells in matrix.items()
        ],
    }


def _cell(cell: Cell) -> dict[str, Any]:
    return {
        "verdict": cell.outcome,
        "largest": list(cell.largest),
        "scenarios": [_rung(rung) for rung in cell.rungs],
    }


def _rung(rung: Rung) -> dict[str, Any]:
    cpus, tasks, longs = rung.bounds
    return {
        "cpus": cpus,
        "tasks": tasks,
        "longs": longs,
        "verdict": rung.outcome,
        "states": rung.states,
        "kinds": list(rung.kinds),
        "message": rung.message,
        "needs_privilege": rung.needs_privilege,
    }


def matrix_from_json(saved: dict[str, Any]) -> Matrix:
    """Return the matrix that `matrix_json` wrote.

    Raises:
        ValueError: it has another schema.
    """
    if saved.get("schema") != SCHEMA:
        message = f"not a matrix of schema {SCHEMA}"
        raise ValueError(message)
    return {
        row["subject"]: {name: _cell_of(cell) for name, cell in row["cells"].items()}
        for row in saved["rows"]
    }


def _cell_of(saved: dict[str, Any]) -> Cell:
    cpus, tasks, longs = saved["largest"]
    return Cell(tuple(_rung_of(rung) for rung in saved["scenarios"]), (cpus, tasks, longs))


def _rung_of(saved: dict[str, Any]) -> Rung:
    return Rung(
        (saved["cpus"], saved["tasks"], saved["longs"]),
        saved["verdict"],
        saved["states"],
        tuple(saved["kinds"]),
        saved["message"],
        saved["needs_privilege"],
    )
