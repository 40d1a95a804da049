"""Makes the page about costs: for each path a bar for each design, or each kernel tree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from iopermit.report import cost, kernel_cost
from iopermit.system.running.cost import COLUMNS, PATHS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iopermit.kernel.cost import KernelCosts
    from iopermit.system.running.cost import Costs

Figure: TypeAlias = int | str
"""A number, or one word that says why there is none."""

_Figure = TypeVar("_Figure")
_NO_PATH: Final = "-"
LONGEST_BAR: Final = 520
"""Pixels of the longest bar."""


@dataclass(frozen=True)
class CostBar:
    """What one design or tree does on a path."""

    subject: str
    text: str
    """The number, or a word that says why there is none."""
    length: int
    """Pixels; 0 if there is no number."""


@dataclass(frozen=True)
class Chart:
    """The bars of a path."""

    path: str
    about: str
    bars: tuple[CostBar, ...]

    @property
    def the_same(self) -> str:
        """What all bars say, if there are several and all say the same; else empty."""
        texts = {bar.text for bar in self.bars}
        return texts.pop() if len(texts) == 1 and len(self.bars) > 1 else ""


@dataclass(frozen=True)
class CostCharts:
    """The charts for one choice of the port that the users of a map open."""

    name: str
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class CostPage:
    """A page about costs."""

    title: str
    measure: str
    """What the bars count."""
    legend: str
    """What the columns of the tables are."""
    labels: int
    """Pixels that the names of the subjects need."""
    ports: tuple[CostCharts, ...]
    tables: tuple[tuple[str, cost.Table], ...]
    """For each subject all figures, headings first."""


def cost_page(costs: Mapping[str, Costs]) -> CostPage:
    """Return the page about what designs do."""
    return CostPage(
        "What designs do on each path",
        "bytes of the TSS written",
        cost.LEGEND,
        _labels(costs),
        _ports(costs, lambda cell: cell if isinstance(cell, str) else cell.tss_written),
        tuple((subject, cost.design_table(each)) for subject, each in costs.items()),
    )


def tree_cost_page(costs: Mapping[str, KernelCosts]) -> CostPage:
    """Return the page about what the code of kernel trees does."""
    return CostPage(
        "What kernel trees do on each path",
        "instructions executed",
        kernel_cost.LEGEND,
        _labels(costs),
        _ports(costs, lambda cell: cell if isinstance(cell, str) else cell.instructions),
        tuple((subject, kernel_cost.tree_table(each)) for subject, each in costs.items()),
    )


def _labels(costs: Mapping[str, object]) -> int:
    return 20 + math.ceil(7.2 * max(map(len, costs), default=0))


def _ports(
    costs: Mapping[str, Mapping[str, Mapping[str, _Figure]]], figure: Callable[[_Figure], Figure]
) -> tuple[CostCharts, ...]:
    figures = {
        (port, path): {subject: figure(each[port][path]) for subject, each in costs.items()}
        for port in COLUMNS
        for path in PATHS
        if any(path in each[port] for each in costs.values())
    }
    numbers = [n for row in figures.values() for n in row.values() if isinstance(n, int)]
    most = max(numbers, default=0)
    charts: dict[str, list[Chart]] = {port: [] for port in COLUMNS}
    for (port, path), row in figures.items():
        if set(row.values()) != {_NO_PATH}:
            bars = tuple(_bar(subject, n, most) for subject, n in row.items())
            charts[port].append(Chart(path, PATHS[path], bars))
    return tuple(CostCharts(_heading(port), tuple(some)) for port, some in charts.items())


def _heading(column: str) -> str:
    return "Nobody uses ioperm()" if COLUMNS[column] is None else f"Two tasks opened {column}"


def _bar(subject: str, figure: Figure, most: int) -> CostBar:
    """Return a bar whose length grows with the logarithm: figures span four powers of ten."""
    if isinstance(figure, str):
        return CostBar(subject, "no such path" if figure == _NO_PATH else figure, 0)
    share = math.log1p(figure) / math.log1p(most) if most else 0
    return CostBar(subject, f"{figure:,}", round(LONGEST_BAR * share))
