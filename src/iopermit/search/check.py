"""Checks a design: from the smallest scenario to the largest, until a violation or the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from iopermit.engine.control import Control
from iopermit.engine.ending import UnrepeatedRefusals
from iopermit.engine.facts import about_design, about_scenario, concerning
from iopermit.engine.ladder import (
    MOST_OF_NAMED_LONGS,
    design_scenarios,
    named_longs_scenarios,
)
from iopermit.search.combination import different, with_smaller
from iopermit.search.compilation import translated
from iopermit.search.problem import Problem, Settings
from iopermit.search.refinement import searched
from iopermit.search.savings import savings
from iopermit.search.verdict import of_all_longs, with_violations, without_violation
from iopermit.system.scenario import MOST_LONGS
from iopermit.translate.analyses.reductions import Reductions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iopermit.engine.verdict import Verdict
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario

MOST_BEYOND_GARBAGE: Final = 1 << 22
"""States visited beyond garbage if no limit is given: lost references can be counted for long."""


def check(  # noqa: PLR0913 - the interface of the verb
    design: type[Design],
    scenario: Scenario | None = None,
    *,
    control: Control | None = None,
    reductions: Reductions = Reductions(),  # noqa: B008 - immutable
    threads: int = 1,
    every: bool = False,
    options: tuple[str, ...] = (),
    with_savings: bool = False,
    with_obligations: bool = False,
) -> Verdict:
    """Return the verdict about ``design`` in one scenario, or in a ladder of them if None.

    Raises DesignError for a design that cannot be translated and ReplayError if the replay at
    full size disagrees with the search. ``with_savings`` also searches the scenario of the verdict
    without each reduction (:func:`savings`), each time within the limits. ``with_obligations`` lets
    a solver discharge what the merging of steps rests on in that scenario.
    """
    control = control or Control()
    settings = Settings(reductions, threads, every)
    scenarios = [scenario] if scenario is not None else design_scenarios(every=every)
    with control.interruption:

        def problem_of(scenario: Scenario) -> Problem:
            return Problem(design, scenario, settings, control.remaining())

        verdict = _checked(map(problem_of, scenarios), every=every)
        if scenario is None:
            verdict = _with_named_longs(problem_of, of_all_longs(verdict))
        if with_savings:
            problem = Problem(design, verdict.scenario, settings, control)
            search = replace(verdict.search, savings=tuple(savings(problem)))
            verdict = replace(verdict, search=search)
        if with_obligations:
            from iopermit.search.obligations import discharged  # imports z3

            verdict = discharged(Problem(design, verdict.scenario, settings, control), verdict)
    return replace(
        verdict,
        options=options,
        also=tuple(replace(also, options=options) for also in verdict.also),
    )


def _checked(problems: Iterable[Problem], *, every: bool) -> Verdict:
    """Return the verdict after one scenario or several; the next begins when one has ended."""
    verdicts: list[Verdict] = []
    for problem in problems:
        last = check_once(problem)
        verdicts.append(last)
        if every and _has_garbage(last):
            # A limit that ends this search ends none of the others.
            verdicts.append(check_once(_beyond_garbage(problem)))
        limited = last.verdict == "undetermined" and not last.longs_needed
        if limited or (last.verdict == "violated" and not every):
            break
    return different(verdicts) if every else with_smaller(verdicts)


def _with_named_longs(problem_of: Callable[[Scenario], Problem], verdict: Verdict) -> Verdict:
    """Return a violation that takes as many longs as the design names, or else the same verdict."""
    if verdict.verdict != "undetermined" or not 0 < verdict.longs_needed <= MOST_LONGS:
        return verdict
    for scenario in named_longs_scenarios(verdict.longs_needed):
        found = check_once(_at_most(MOST_OF_NAMED_LONGS, problem_of(scenario)))
        if found.verdict == "violated":
            return found
    return verdict


def check_once(problem: Problem) -> Verdict:
    """Return the verdict about a design in one scenario: the stages of a check, one by one."""
    with concerning(lambda: about_design(problem.design) | about_scenario(problem.scenario)):
        search = searched(translated(problem))
        if not search.result.found:
            return without_violation(search)
        # Imported only now: a design that holds needs none of it.
        from iopermit.search.counterexample.confirmation import confirmed
        from iopermit.search.counterexample.counterexamples import counterexamples
        from iopermit.search.privilege import examined

        verdict = with_violations(examined(confirmed(counterexamples(search))))
        if isinstance(verdict.ending, UnrepeatedRefusals) and "livelock" in problem.goals:
            return _beyond_row(problem, verdict)
        return verdict


def _beyond_row(problem: Problem, verdict: Verdict) -> Verdict:
    """Return another violation instead of a row of refusals that ends, if there is one.

    Without one the verdict stays as it is: what comes after the row was not searched.
    """
    if verdict.violation is not None:
        return verdict
    other = check_once(replace(problem, goals=problem.goals - {"livelock"}))
    return other if other.verdict == "violated" else verdict


def _beyond_garbage(problem: Problem) -> Problem:
    """Return the search for what else comes of garbage: schedules end at it, so others go on."""
    problem = _at_most(MOST_BEYOND_GARBAGE, problem)
    return replace(problem, scenario=replace(problem.scenario, garbage=False))


def _at_most(states: int, problem: Problem) -> Problem:
    """Return the same search, with a limit of states if it has none."""
    control = problem.control
    if control.limits.max_states is None:
        control = replace(control, limits=replace(control.limits, max_states=states))
    return replace(problem, control=control)


def _has_garbage(verdict: Verdict) -> bool:
    return any(
        v.violation is not None and v.violation.kind == "garbage" for v in (verdict, *verdict.also)
    )
