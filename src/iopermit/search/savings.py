"""Measures what each reduction saves: the same scenario to its end, with and without it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.engine.verdict import Saving
from iopermit.search.compilation import translated
from iopermit.search.refinement import searched
from iopermit.translate.analyses.reductions import REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.search.problem import Problem


def savings(problem: Problem) -> Iterator[Saving]:
    """Search a scenario to its end with the reductions that are on, and without each of them."""
    settings = replace(problem.settings, every=False, exhaustive=True)
    everything = searched(translated(replace(problem, settings=settings))).result
    for reduction in filter(settings.reductions.has, REDUCTIONS):
        off = replace(settings, reductions=settings.reductions.without(reduction))
        result = searched(translated(replace(problem, settings=off))).result
        exhausted = result.exhausted and everything.exhausted
        yield Saving(reduction.title, everything.states, result.states, exhausted)
