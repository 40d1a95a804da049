"""Translates a problem into a model, and compiles the model into native functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.system.events import Event
from iopermit.translate.model.initial_state import InitialValues, initial_values
from iopermit.translate.native.jit import Compiled, compile_model
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from iopermit.search.problem import Problem
    from iopermit.translate.analyses.assumptions import Assumption
    from iopermit.translate.analyses.reductions import Reductions
    from iopermit.translate.model.model import Model

_QUICK: Final = ((1, 1, 1), (1, 1, 2), (1, 2, 1), (1, 2, 2), (2, 1, 1))
"""CPUs, tasks and longs of scenarios for which optimising takes longer than searching."""


@dataclass(frozen=True)
class Translated:
    """A problem with its model."""

    problem: Problem
    model: Model
    initial: InitialValues


def translated(problem: Problem) -> Translated:
    """Return a problem with its model. Raises DesignError for what the language lacks."""
    model = translate(problem.design, problem.scenario, blame=problem.settings.every)
    return Translated(problem, model, initial_values(problem.scenario, model))


def compiled(source: Translated, assumed: tuple[Assumption, ...]) -> Compiled:
    """Return the native functions of a model under the reductions of its problem.

    Args:
        source: the problem, translated.
        assumed: what the merging of steps assumes of objects on the heap.
    """
    settings = source.problem.settings
    optimised = settings.optimised
    if optimised is None:
        optimised = not _is_small(source.problem)
    return compile_model(
        source.model, settings.reductions, assumed, optimised=optimised, kept=settings.kept
    )


def compiled_plainly(source: Translated, reductions: Reductions) -> Compiled:
    """Return the native functions of a model for looking at few states."""
    kept = source.problem.settings.kept
    return compile_model(source.model, reductions, optimised=False, kept=kept)


def _is_small(problem: Problem) -> bool:
    """Return whether the search is over before optimised machine code would be ready."""
    scenario = problem.scenario
    bounds = (scenario.cpus, scenario.tasks, scenario.longs)
    if problem.settings.reductions.merging:
        return bounds in (*_QUICK, (2, 2, 1))
    few_steps = scenario.tasks == 1 or not scenario.has(Event.PREEMPT)
    return few_steps and bounds in _QUICK
