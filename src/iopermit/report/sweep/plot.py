"""The matrices of a sweep as a drawing, as SVG."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

from iopermit.report.sweep.facts import cell_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.report.sweep.facts import SweepMatrix, SweepReport, SweptJob

_STYLE: Final[Any] = {
    "svg.hashsalt": "iopermit",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8,
}
_COLOURS: Final = {
    "holds": "#c7e9c0",
    "violated": "#fcae91",
    "undetermined": "#fee391",
    "failed": "#bdbdbd",
    "not run": "#f0f0f0",
}
"""Light ones, on which black text can be read; the text says the same."""
_LONGEST: Final = 48
"""Characters of a row's name."""
_COLUMN, _LINE, _MARGIN, _NAMES = 1.7, 0.24, 1.1, 3.2
"""Inches: the width of a column, the height of a row, room for headings and for names."""


def sweep_plot(report: SweepReport) -> str:
    """Return the matrices as SVG: always the same text for the same report and matplotlib.

    What the cells say is in the metadata too, as JSON.
    """
    import matplotlib as mpl  # takes its time
    from matplotlib.figure import Figure

    matrices = report.matrices
    heights = [_MARGIN + _LINE * len(list(matrix.rows)) for matrix in matrices]
    width = _NAMES + _COLUMN * max((len(matrix.columns) for matrix in matrices), default=1)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(width, sum(heights) or 1), layout="constrained")
        axes = figure.subplots(
            max(len(matrices), 1), 1, squeeze=False, gridspec_kw={"height_ratios": heights or [1]}
        )
        for (axis,), matrix in zip(axes, matrices, strict=False):
            _draw(axis, matrix)
        if report.title:
            figure.suptitle(report.title)
        buffer = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Description": described(report)}
        figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()


def described(report: SweepReport) -> str:
    """Return what the cells say, as the metadata of the drawing have it."""
    said = {
        matrix.name: {name: list(map(cell_text, jobs)) for name, jobs in matrix.rows}
        for matrix in report.matrices
    }
    return json.dumps(said, separators=(",", ":"))


def _draw(axis: Any, matrix: SweepMatrix) -> None:  # noqa: ANN401 - Axes is untyped
    rows, columns = list(matrix.rows), matrix.columns
    for place, (_, jobs) in enumerate(rows):
        _draw_row(axis, place, jobs)
    axis.set_xlim(0, len(columns))
    axis.set_ylim(len(rows), 0)
    places = [place + 0.5 for place in range(max(len(columns), len(rows)))]
    headings = [matrix.heading(variant).replace(", ", ",\n") for variant in columns]
    axis.set_xticks(places[: len(columns)], headings)
    axis.set_yticks(places[: len(rows)], [name[:_LONGEST] for name, _ in rows])
    axis.tick_params(length=0, top=False, labeltop=True, bottom=False, labelbottom=False)
    axis.spines[:].set_visible(False)
    axis.set_title(matrix.name, loc="left")


def _draw_row(axis: Any, place: int, jobs: Sequence[SweptJob | None]) -> None:  # noqa: ANN401 - as above
    for column, job in enumerate(jobs):
        if job is not None:
            colour = _COLOURS[job.outcome]
            axis.broken_barh([(column, 1)], (place, 1), facecolors=colour, edgecolors="white")
            text = cell_text(job)
            axis.text(column + 0.5, place + 0.5, text, ha="center", va="center", fontsize=6)
