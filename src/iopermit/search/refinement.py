"""Searches a problem, again and again without the assumptions of reductions that were wrong."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.search.compilation import compiled
from iopermit.search.exploration.design_search import DesignSearch, DesignSearchResult
from iopermit.search.exploration.native import NativeFunctions, initial_state
from iopermit.translate.analyses.assumptions import Assumption, assumptions

if TYPE_CHECKING:
    from iopermit.engine.control import Control
    from iopermit.search.compilation import Translated
    from iopermit.translate.native.jit import Compiled


@dataclass(frozen=True)
class Searched:
    """A problem, searched."""

    source: Translated
    functions: NativeFunctions
    """The native functions of the last search."""
    result: DesignSearchResult
    compile_seconds: float


def searched(source: Translated) -> Searched:
    """Search a problem until no assumption is wrong, a violation counts all the same, or a limit.

    The merging of steps assumes at first that nobody writes a heap object that others can see.
    """
    problem, settings = source.problem, source.problem.settings
    control = problem.control.about(problem.scenario.size).again()
    assumed = assumptions(source.model) if settings.reductions.merging else ()
    compile_seconds = 0.0
    while True:
        started = time.monotonic()
        functions = NativeFunctions(compiled(source, assumed))
        compile_seconds += time.monotonic() - started
        result = explored(source, functions, control.remaining())
        broken = broken_assumptions(functions.compiled, result)
        if not broken or (settings.stop and result.found) or result.limited:
            return Searched(source, functions, result, compile_seconds)
        assumed = tuple(a for a in assumed if a not in broken)


def explored(
    source: Translated, functions: NativeFunctions, control: Control
) -> DesignSearchResult:
    """Search with native functions that are given.

    Again for hidden maps that were not known, or without forgetting them: what is found before
    does not count.
    """
    problem, hidden = source.problem, functions.compiled.hidden
    while True:
        search = DesignSearch(functions.compiled, control.remaining(), problem.settings.threads)
        initial = initial_state(functions, source.initial)
        result = search.run(initial, stop=problem.settings.stop, goals=problem.goals)
        if hidden is None or not hidden.failed:
            return result
        hidden.restart()
        result.found.clear()
        if result.limited:
            return result


def broken_assumptions(native: Compiled, result: DesignSearchResult) -> frozenset[Assumption]:
    """Return the assumptions that some step broke."""
    flags = result.covered[native.coverage.assumption(0) :]
    return frozenset(a for a, flag in zip(native.assumed, flags, strict=False) if flag)
