"""Makes the page about a sweep: its matrices, where verdicts change, and what is behind a cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.report.sweep.facts import cell_text
from iopermit.report.sweep.text import change_text, gap_text, summary

if TYPE_CHECKING:
    from iopermit.report.sweep.facts import SweepMatrix, SweepReport, SweptJob


@dataclass(frozen=True)
class SweepCell:
    """A cell of a matrix, and what is behind it.

    Attributes:
        anchor: what a link leads to; empty for a cell without a job.
        row: the name of its row.
        column: the name of its column.
        outcome: the class of its style.
        text: what is in it.
        job: the job; None if there is none.
    """

    anchor: str
    row: str
    column: str
    outcome: str
    text: str
    job: SweptJob | None


@dataclass(frozen=True)
class MatrixPart:
    """A matrix of the page."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[SweepCell, ...], ...]


@dataclass(frozen=True)
class SweepPage:
    """A page about a sweep."""

    title: str
    summary: str
    notes: tuple[str, ...]
    """Where verdicts change, and what was not judged, in sentences."""
    matrices: tuple[MatrixPart, ...]


def sweep_page(report: SweepReport) -> SweepPage:
    """Return the page about a sweep."""
    notes = (*map(change_text, report.changes), *map(gap_text, report.gaps))
    matrices = (_part(number, each) for number, each in enumerate(report.matrices, 1))
    return SweepPage(report.title or "A sweep", summary(report), notes, tuple(matrices))


def _part(number: int, matrix: SweepMatrix) -> MatrixPart:
    columns = tuple(matrix.heading(variant) for variant in matrix.columns)
    rows = tuple(
        tuple(
            _cell(f"cell-{number}-{row}-{column}", name, heading, job)
            for column, (heading, job) in enumerate(zip(columns, jobs, strict=True), 1)
        )
        for row, (name, jobs) in enumerate(matrix.rows, 1)
    )
    return MatrixPart(matrix.name, columns, rows)


def _cell(anchor: str, row: str, column: str, job: SweptJob | None) -> SweepCell:
    if job is None:
        return SweepCell("", row, column, "none", "", None)
    # There are styles for the three verdicts; what has none is not known.
    outcome = job.outcome if job.outcome in ("holds", "violated") else "undetermined"
    return SweepCell(anchor, row, column, outcome, cell_text(job), job)
