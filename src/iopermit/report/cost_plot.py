"""A bar chart of what designs write to the TSS, as SVG."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, Final

from iopermit.report.cost import total
from iopermit.system.running.cost import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.system.running.cost import Costs

SERIES: Final[Mapping[str, tuple[str, ...]]] = {
    "switch to a map user that ran last, and use": ("switch-in", "switch-in, user"),
    "switch to the other map user, and use": ("alternate", "alternate, user", "first access"),
    "switch to an ordinary task": ("switch-out",),
    "first ioperm()": ("ioperm first", "ioperm first, user"),
}
"""Bars, and the paths that each adds up."""

_STYLE: Final[Any] = {
    "svg.hashsalt": "iopermit",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8,
}
_THICKNESS: Final = 0.8
_LINEAR: Final = 10
"""Bytes up to which the axis is linear, so that 0 can be shown."""
_LONGEST: Final = 30_000
"""Bytes at the end of the axis: room for the figure behind a bar of 8194."""


def figures(costs: Mapping[str, Costs]) -> dict[str, dict[str, list[int | None]]]:
    """Return the lengths of the bars in bytes, by port and series; None where the kernel fails."""
    return {
        column: {
            name: [_bytes(columns, column, paths) for columns in costs.values()]
            for name, paths in SERIES.items()
        }
        for column, port in COLUMNS.items()
        if port is not None
    }


def _bytes(costs: Costs, column: str, paths: tuple[str, ...]) -> int | None:
    cost = total(costs, column, paths)
    return None if cost is None else cost.tss_written


def plot(costs: Mapping[str, Costs]) -> str:
    """Return the chart as SVG: always the same text for the same costs and matplotlib.

    The figures are in the metadata too, as JSON.
    """
    import matplotlib as mpl  # takes its time
    from matplotlib.figure import Figure

    data = figures(costs)
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(9, 1.5 + 0.42 * len(costs)), layout="constrained")
        axes = figure.subplots(1, len(data), sharey=True, squeeze=False)[0]
        for axis, (column, series) in zip(axes, data.items(), strict=True):
            _bars(axis, series)
            axis.set_title(column)
            axis.set_xscale("symlog", linthresh=_LINEAR)
            axis.set_xlim(0, _LONGEST)
            axis.set_xlabel("bytes of the TSS written")
        axes[0].set_yticks(range(len(costs)), list(costs))
        axes[0].invert_yaxis()
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
        buffer = io.StringIO()
        metadata = {"Date": None, "Creator": None, "Description": described(costs)}
        figure.savefig(buffer, format="svg", metadata=metadata)
    return buffer.getvalue()


def described(costs: Mapping[str, Costs]) -> str:
    """Return the figures as the metadata of the chart have them."""
    return json.dumps({"designs": list(costs), "bytes": figures(costs)}, separators=(",", ":"))


def _bars(axis: Any, series: Mapping[str, list[int | None]]) -> None:  # noqa: ANN401 - Axes is untyped
    height = _THICKNESS / len(series)
    for number, (name, lengths) in enumerate(series.items()):
        offset = (number - (len(series) - 1) / 2) * height
        places = [place + offset for place in range(len(lengths))]
        axis.barh(places, [length or 0 for length in lengths], height, label=name)
        for place, length in zip(places, lengths, strict=True):
            text = "not possible" if length is None else str(length)
            axis.annotate(
                text, (length or 0, place), (2, 0), textcoords="offset points", va="center", size=5
            )
