"""Counterexamples: what a search found, as schedules of single steps from the initial state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.search.compilation import compiled_plainly
from iopermit.search.counterexample.path import schedule_along
from iopermit.search.exploration.native import NativeFunctions, initial_state
from iopermit.translate.analyses.reductions import NO_REDUCTIONS
from iopermit.translate.model.initial_state import initial_values

if TYPE_CHECKING:
    from iopermit.search.counterexample.transitions import AtomicTransition
    from iopermit.search.exploration.memory import Words
    from iopermit.search.refinement import Searched


@dataclass(frozen=True)
class DesignCounterexample:
    """A schedule of single steps that ends in a violation."""

    schedule: tuple[AtomicTransition, ...]
    kind: str
    """The kind of the violation.

    It may be another one than the search saw: merged steps can run on past a violation that they
    do not undo (garbage, for example), and the schedule ends with the first one.
    """
    statement: int
    """Number of the statement that is to blame in the search."""


@dataclass(frozen=True)
class Counterexamples:
    """A search with schedules to what it found, the shortest path first."""

    search: Searched
    counterexamples: tuple[DesignCounterexample, ...]


def counterexamples(search: Searched) -> Counterexamples:
    """Return a schedule for each kind of violation found, and each statement to blame.

    Raises:
        ScheduleError: a path of the search cannot be followed.
    """
    plain = NativeFunctions(compiled_plainly(search.source, NO_REDUCTIONS))
    found = search.result.shortest_first()
    return Counterexamples(
        search,
        tuple(counterexample(search, plain, path, statement) for (_, statement), path in found),
    )


def counterexample(
    search: Searched, plain: NativeFunctions, path: list[Words], statement: int = 0
) -> DesignCounterexample:
    """Return a schedule along a path of states. Raises ScheduleError.

    Args:
        search: the search that found the path.
        plain: the native functions of the same model without reductions.
        path: stored states from the initial one to a violating one.
        statement: number of the statement to blame.
    """
    problem, model = search.source.problem, plain.compiled.model
    initial = initial_state(plain, initial_values(problem.scenario, model))
    schedule, kind = schedule_along(path, search.functions, plain, initial)
    return DesignCounterexample(tuple(schedule), kind, statement)
