"""Compares designs: every design, variant and option under several sets of events."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.engine.comparison import Cell, EventSets, Matrix, Rung, event_sets
from iopermit.engine.control import Control
from iopermit.engine.ending import Interrupted
from iopermit.engine.errors import ReplayError
from iopermit.search.check import check
from iopermit.search.problem import Settings
from iopermit.system.options import with_options
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iopermit.engine.ladder import Bounds
    from iopermit.engine.verdict import Verdict
    from iopermit.system.design import Design


@dataclass(frozen=True)
class Subject:
    """One row: a design with the switches that are set."""

    design: type[Design]
    options: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The row's name, as `iopermit check` takes it."""
        return " --option ".join((self.design.id, *self.options))


def subjects(designs: Iterable[type[Design]], *, options: bool = True) -> Iterator[Subject]:
    """Yield a row for every design and, if wanted, one more for each of its options."""
    for design in designs:
        yield Subject(design)
        for name in design.options if options else ():
            yield Subject(design, (name,))


def empty_matrix(rows: Sequence[Subject], events: Sequence[str], largest: Bounds) -> Matrix:
    """Return a matrix in which nothing was searched yet."""
    return {row.name: {name: Cell((), largest) for name in events} for row in rows}


def compare(  # noqa: PLR0913 - two callers, each with a wish of its own
    rows: Sequence[Subject],
    matrix: Matrix,
    ladder: Sequence[Bounds],
    *,
    settings: Settings = Settings(),  # noqa: B008 - immutable
    control: Control | None = None,
    sets: EventSets | None = None,
    filled: Callable[[Matrix], None] | None = None,
    failed: Callable[[ReplayError], None] | None = None,
) -> None:
    """Search what the matrix lacks, the smallest scenarios of all rows first.

    A cell ends with the first scenario that shows a violation or that reaches a limit. Ctrl-C
    ends the search that runs, as a limit does, and nothing more is searched.

    Args:
        rows: the designs; each must have a row in `matrix`.
        matrix: receives the verdicts; cells that have some go on behind them.
        ladder: scenarios, small ones first.
        settings: how to search.
        control: its limits are those of each single search.
        sets: what the columns mean, if not what they mean today.
        filled: called after each search that was not interrupted.
        failed: called with a fault of iopermit, which leaves one cell undetermined.

    Raises:
        DesignError: a design cannot be translated.
    """
    control, sets = control or Control(), sets or event_sets()
    with control.interruption as interruption:
        for bounds, row in itertools.product(ladder, rows):
            cells = matrix[row.name]
            for name, cell in cells.items():
                known = any(rung.bounds == bounds for rung in cell.rungs)
                if known or cell.finished or interruption.requested:
                    continue
                rung = search(row, Scenario(*bounds, sets[name]), settings, control, failed)
                if rung.too_few_longs and bounds != cell.largest:
                    continue
                cells[name] = Cell((*cell.rungs, rung), cell.largest)
                if filled is not None and not rung.interrupted:
                    filled(matrix)


def search(
    row: Subject,
    scenario: Scenario,
    settings: Settings,
    control: Control | None = None,
    failed: Callable[[ReplayError], None] | None = None,
) -> Rung:
    """Return the verdict about one subject in one scenario; see `compare`."""
    design = with_options(row.design, dict.fromkeys(row.options, True))
    bounds = (scenario.cpus, scenario.tasks, scenario.longs)
    try:
        verdict = check(
            design,
            scenario,
            control=(control or Control()).again(),
            reductions=settings.reductions,
            threads=settings.threads,
            every=settings.every,
            options=row.options,
        )
    except ReplayError as error:
        # A fault of iopermit in one cell does not cost the others; it is no verdict.
        if failed is not None:
            failed(error)
        return Rung(bounds, "undetermined", 0, message=f"internal error: {error}")
    return _rung(bounds, verdict)


def _rung(bounds: Bounds, verdict: Verdict) -> Rung:
    states = verdict.search.states
    if verdict.violation is None:
        return Rung(
            bounds,
            verdict.verdict,
            states,
            message=verdict.reason,
            too_few_longs=bool(verdict.longs_needed),
            interrupted=isinstance(verdict.ending, Interrupted),
        )
    found = [each.violation for each in (verdict, *verdict.also) if each.violation is not None]
    kinds = tuple(dict.fromkeys(violation.kind for violation in found))
    violation = verdict.violation
    return Rung(bounds, "violated", states, kinds, violation.message, violation.needs_privilege)
