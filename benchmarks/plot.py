"""Draws how the number of states grows from scenario to scenario."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.measurements import Row

_SIZE = (8.0, 4.5)
_MARKS = ("o", "s", "^", "D")


def plot(rows: Sequence[Row], path: Path) -> None:
    """Write an SVG with a line per design: states, and seconds of the search.

    A search that a limit ended is drawn hollow: it has at least that many states.
    """
    designs = sorted({(row["design"], row["events"]) for row in rows})
    bounds = sorted({tuple(row["bounds"]) for row in rows}, key=lambda each: _order(each, rows))
    figure = Figure(figsize=_SIZE, layout="constrained")
    states, seconds = figure.subplots(1, 2)
    for (design, events), mark in zip(designs, _MARKS, strict=False):
        own = [row for row in rows if (row["design"], row["events"]) == (design, events)]
        own.sort(key=lambda row: bounds.index(tuple(row["bounds"])))
        places = [bounds.index(tuple(row["bounds"])) for row in own]
        for axes, column in ((states, "states"), (seconds, "search_seconds")):
            label = f"{design}, {events} events"
            line = axes.plot(places, [row[column] for row in own], "-", linewidth=1)[0]
            for finished, fill in ((True, "full"), (False, "none")):
                axes.plot(
                    [p for p, row in zip(places, own, strict=True) if row["exhausted"] is finished],
                    [row[column] for row in own if row["exhausted"] is finished],
                    mark, color=line.get_color(), fillstyle=fill, label=label if finished else None,
                )  # fmt: skip
    for axes, title in ((states, "States"), (seconds, "Seconds of search")):
        axes.set_yscale("log")
        axes.set_title(title)
        axes.set_xticks(range(len(bounds)), ["/".join(map(str, each)) for each in bounds])
        axes.tick_params(axis="x", rotation=60)
        axes.set_xlabel("CPUs/tasks/longs (hollow: stopped by a limit)")
        axes.grid(axis="y", alpha=0.3)
    states.legend(fontsize="small")
    with mpl.rc_context({"svg.hashsalt": "iopermit", "svg.fonttype": "none"}):
        figure.savefig(path, format="svg", metadata={"Date": None})


def _order(bounds: tuple[int, ...], rows: Sequence[Row]) -> int:
    """Return the most states of any design in a scenario: scenarios are drawn in this order."""
    return max(int(row["states"]) for row in rows if tuple(row["bounds"]) == bounds)
