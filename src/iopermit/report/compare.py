"""The matrix of designs and event sets as text and as a table in Markdown."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from iopermit.report.words import bounds
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.engine.comparison import Cell, Matrix, Rung
    from iopermit.engine.ladder import Bounds

PRIVILEGE: Final[Mapping[bool | None, str]] = {
    True: "only with CAP_SYS_RAWIO at some time",
    False: "also without CAP_SYS_RAWIO",
    None: "",
}
"""Who can gain the ports of a leak."""


def matrix_text(matrix: Matrix) -> str:
    """Return the matrix as text: a paragraph for each design, a line for each event set."""
    lines = []
    for subject, cells in matrix.items():
        lines.append(subject)
        width = max(map(len, cells), default=0)
        lines += [f"  {name:{width}}  {cell_text(cell)}" for name, cell in cells.items()]
    return "".join(f"{line}\n" for line in lines)


def matrix_table(
    matrix: Matrix, marks: Mapping[tuple[str, str], str] = MappingProxyType({})
) -> list[list[str]]:
    """Return the matrix as a table: a row for each design, headings first.

    ``marks`` are added to the cells that hold, by design and set of events.
    """
    names = next(iter(matrix.values()), {})
    head = ["design", *(name.replace("-without-", ", without ") for name in names)]
    body = []
    for subject, cells in matrix.items():
        texts = []
        for name, cell in cells.items():
            mark = marks.get((subject, name), "") if cell.outcome == "holds" else ""
            texts.append(f"{cell_text(cell)}{mark and f'; {mark}'}")
        body.append([f"`{subject}`", *texts])
    return [head, *body]


def cell_text(cell: Cell) -> str:
    """Return what is known in one cell; only the largest scenario, exhausted, is "holds"."""
    decisive = cell.decisive
    if decisive is None:
        return f"undetermined{_reason(cell) or ' (not searched)'}"
    if decisive.outcome == "violated":
        return _violated(decisive)
    exhausted = f"{short(decisive.bounds)}, {decisive.states:,} states"
    if cell.outcome == "holds":
        return f"holds ({exhausted})"
    return f"undetermined beyond {exhausted}, which hold{_reason(cell)}"


def _violated(rung: Rung) -> str:
    kinds = " and ".join(kind.upper() for kind in rung.kinds)
    who = PRIVILEGE[rung.needs_privilege]
    return f"{kinds} ({short(rung.bounds)}{f'; {who}' if who else ''})"


def _reason(cell: Cell) -> str:
    """Return why the search of the next scenario ended, if there was one."""
    last = cell.rungs[-1] if cell.rungs else None
    if last is None or last.outcome != "undetermined":
        return ""
    return f" ({short(last.bounds)}: {last.message})"


def short(scenario: Bounds) -> str:
    """Return bounds in words, such as "2 CPUs, 3 tasks, 2 longs"."""
    return bounds(Scenario(*scenario))
