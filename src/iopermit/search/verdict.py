"""The verdict about one problem, from its search and from what full size confirmed."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.engine.ending import NamedLongs
from iopermit.engine.verdict import SearchStatistics, Verdict
from iopermit.search.coverage import uncovered, what_has_no_room

if TYPE_CHECKING:
    from iopermit.engine.ending import Ending
    from iopermit.engine.verdict import VerdictValue
    from iopermit.search.counterexample.confirmation import Confirmed
    from iopermit.search.refinement import Searched


def without_violation(search: Searched) -> Verdict:
    """Return the verdict about a problem in whose search no violation was found.

    A scenario of so many longs is a machine with such a map. Where the design names more of them
    there is no such machine, and what its code does to a part of the map was not seen.
    """
    model, scenario = search.source.model, search.source.problem.scenario
    if search.result.exhausted and model.exact_longs - 1 > scenario.longs:
        ending = NamedLongs(scenario.size, model.exact_longs, model.longs_site)
        return _verdict("undetermined", search, ending)
    value: VerdictValue = "holds" if search.result.exhausted else "undetermined"
    return _verdict(value, search, _ending(search))


def of_all_longs(verdict: Verdict) -> Verdict:
    """Return the verdict where nobody has chosen how many longs the map has.

    Then a number of longs that the design names must be seen to be less than the whole map.
    """
    if verdict.verdict != "holds" or not verdict.uncovered.longs:
        return verdict
    missing = verdict.uncovered
    ending = NamedLongs(verdict.scenario.size, missing.longs, missing.longs_site)
    return replace(verdict, verdict="undetermined", reason=ending.reason, ending=ending)


def with_violations(confirmed: Confirmed) -> Verdict:
    """Return the verdict about a problem in whose search violations were found.

    What full size does not confirm, because there are too few longs, leaves it open.
    """
    search = confirmed.search
    ending = confirmed.unconfirmed or _ending(search)
    if not confirmed.confirmations:
        return _verdict("undetermined", search, ending)
    verdict = _verdict("violated", search, ending)
    first, *others = (
        replace(verdict, violation=one.violation, trace=one.trace)
        for one in confirmed.confirmations
    )
    return replace(first, also=tuple(others))


def _ending(search: Searched) -> Ending | None:
    """Return what ended the search early, with the statement that has no room."""
    full = search.result.full
    return search.result.ending if full is None else what_has_no_room(search.functions, full)


def _verdict(value: VerdictValue, search: Searched, ending: Ending | None) -> Verdict:
    result, problem = search.result, search.source.problem
    statistics = SearchStatistics(
        result.states,
        result.transitions,
        result.depth,
        result.seconds,
        exhausted=result.exhausted and ending is None,
        confirmed_full_size=value == "violated",
        memory=result.memory,
        compile_seconds=search.compile_seconds,
        assumed=tuple(str(a) for a in search.functions.compiled.assumed),
    )
    told = ending if value == "undetermined" or problem.settings.every else None
    return Verdict(
        problem.design.id or problem.design.__name__,
        problem.scenario,
        value,
        "" if told is None else told.reason,
        None,
        None,
        statistics,
        uncovered(search),
        design_file=inspect.getfile(problem.design),
        ending=told,
    )
