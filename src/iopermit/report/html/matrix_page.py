"""Makes the page about a comparison: the matrix of designs and events, and what is behind it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.designs import designs
from iopermit.report.compare import PRIVILEGE, cell_text, short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.engine.comparison import Cell, Matrix, Rung

_WITHOUT: Final = "-without-"


@dataclass(frozen=True)
class ScenarioVerdict:
    """The verdict in one scenario."""

    scenario: str
    outcome: str
    states: int
    message: str


@dataclass(frozen=True)
class CellReport:
    """A cell of the matrix, and what is behind it."""

    anchor: str
    subject: str
    events: str
    outcome: str
    text: str
    scenarios: tuple[ScenarioVerdict, ...]
    command: str
    """What writes the page about its violation, or empty."""


@dataclass(frozen=True)
class MatrixPage:
    """A page about a comparison."""

    events: tuple[str, ...]
    rows: tuple[tuple[CellReport, ...], ...]


def matrix_page(matrix: Matrix) -> MatrixPage:
    """Return the page about a comparison."""
    names = tuple(next(iter(matrix.values()), {}))
    rows = (
        tuple(_cell(f"cell-{row}-{n}", subject, name, cells[name]) for n, name in enumerate(names))
        for row, (subject, cells) in enumerate(matrix.items(), 1)
    )
    return MatrixPage(tuple(map(_heading, names)), tuple(rows))


def _heading(events: str) -> str:
    return events.replace(_WITHOUT, ", without ")


def _cell(anchor: str, subject: str, events: str, cell: Cell) -> CellReport:
    decisive = cell.decisive
    violated = decisive is not None and decisive.outcome == "violated"
    return CellReport(
        anchor,
        subject,
        _heading(events),
        cell.outcome,
        cell_text(cell),
        tuple(map(_searched, cell.rungs)),
        _command(subject, events, decisive) if violated and decisive is not None else "",
    )


def _searched(rung: Rung) -> ScenarioVerdict:
    parts = _told(rung)
    return ScenarioVerdict(short(rung.bounds), rung.outcome, rung.states, "; ".join(parts))


def _told(rung: Rung) -> Iterator[str]:
    yield from (kind.upper() for kind in rung.kinds)
    if rung.message:
        yield rung.message
    if PRIVILEGE[rung.needs_privilege]:
        yield PRIVILEGE[rung.needs_privilege]


def _command(subject: str, events: str, rung: Rung) -> str:
    """Return what writes the report about a violation; nothing for a file of the user's."""
    design, *options = subject.split(" --option ")
    if design not in designs():
        return ""
    base, _, without = events.partition(_WITHOUT)
    cpus, tasks, longs = map(str, rung.bounds)
    words = ["iopermit", "check", design]
    words += [word for option in options for word in ("--option", option)]
    words += ["--events", base, *(["--without", without] if without else [])]
    words += ["--cpus", cpus, "--tasks", tasks, "--longs", longs, "--html", f"{design}.html"]
    return shlex.join(words)
