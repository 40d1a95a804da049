"""Whether the task that gains ports by a leak needs CAP_SYS_RAWIO at some time."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.search.compilation import translated
from iopermit.search.refinement import searched

if TYPE_CHECKING:
    from iopermit.search.counterexample.confirmation import Confirmed
    from iopermit.search.exploration.design_search import DesignSearchResult
    from iopermit.search.problem import Problem


def examined(confirmed: Confirmed) -> Confirmed:
    """Return confirmed leaks with whether they need the privilege: one search for all of them."""
    problem = confirmed.search.source.problem
    leaks = [one for one in confirmed.confirmations if one.violation.kind == "leak"]
    if not leaks or problem.scenario.unprivileged:
        return confirmed
    result = _without_privilege(problem)
    return replace(
        confirmed,
        confirmations=tuple(
            one.examined(needs_privilege=_needed(result, one.statement)) if one in leaks else one
            for one in confirmed.confirmations
        ),
    )


def _without_privilege(problem: Problem) -> DesignSearchResult:
    """Return the leaks to tasks that never have the privilege."""
    scenario = replace(problem.scenario, unprivileged=True)
    return searched(
        translated(replace(problem, scenario=scenario, goals=frozenset({"leak"})))
    ).result


def _needed(result: DesignSearchResult, statement: int) -> bool | None:
    """Return whether no task without the privilege from the start gains ports this way.

    Behind a row of refusals, which may come to an end, nothing was searched.
    """
    if any(found == statement for _, found in result.found):
        return False
    return True if result.exhausted and "livelock" not in result.violations else None
