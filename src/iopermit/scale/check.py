"""Checks a design in one scenario whose states are more than one memory or one sitting can have."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.engine.ending import UnrepeatedRefusals
from iopermit.engine.facts import about_design, about_scenario, concerning
from iopermit.scale.attempts import ScaledSearch
from iopermit.scale.checkpoint.directory import CheckpointDirectory, directory_for
from iopermit.scale.checkpoint.identity import identity_of, require_same
from iopermit.scale.endings import Suspended
from iopermit.search.compilation import translated
from iopermit.search.counterexample.confirmation import confirmed
from iopermit.search.counterexample.counterexamples import counterexamples
from iopermit.search.privilege import examined
from iopermit.search.verdict import with_violations, without_violation

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict
    from iopermit.scale.checkpoint.manifest import Manifest
    from iopermit.scale.plan import Plan
    from iopermit.search.problem import Problem


def check_beyond(problem: Problem, plan: Plan) -> Verdict:
    """Return the verdict about a design in one scenario, as a check with threads gives it.

    Verdict, kind, length of the schedule, states, transitions and coverage are the same. Of several
    shortest schedules that of the least states is shown.

    Args:
        problem: the design in its scenario, to be searched up to the first violation.
        plan: how the search is executed.

    Raises:
        CheckpointError: the directory is in use, or its checkpoint cannot be gone on from.
        ScaleError: the memory limit is too low for the plan.
        DesignError: the design cannot be translated.
        ReplayError: the replay at full size disagrees with the search.
        OSError: a file cannot be read or written.
    """
    with (
        problem.control.interruption,
        concerning(lambda: about_design(problem.design) | about_scenario(problem.scenario)),
        directory_for(plan.directory, resumed=plan.resumed) as directory,
        _cluster(plan, problem.settings.threads),
    ):
        if not plan.resumed:
            return _checked(problem, plan, directory)
        manifest = directory.read()
        require_same(manifest.identity, identity_of(problem), str(plan.directory))
        plan = replace(plan, on_disk=plan.on_disk or manifest.on_disk)
        if frozenset(manifest.attempt.goals) == problem.goals:
            return _checked(problem, plan, directory, manifest)
        # It was beyond a row of refusals; see below.
        other = _with_goals(problem, manifest.attempt.goals)
        verdict = _once(other, plan, directory, manifest)
        if verdict.verdict == "violated" or isinstance(verdict.ending, Suspended):
            return verdict
        return _checked(problem, plan, directory)


def _cluster(plan: Plan, threads: int) -> contextlib.AbstractContextManager[None]:
    """Return what connects to the cluster of a plan while it is open."""
    if plan.cluster is None:
        return contextlib.nullcontext()
    from iopermit.scale.cluster.connection import connected  # imports Ray

    return connected(plan.cluster, threads)


def _checked(
    problem: Problem,
    plan: Plan,
    directory: CheckpointDirectory,
    resumed: Manifest | None = None,
) -> Verdict:
    """Return the verdict; beyond a row of refusals that ends, another violation counts."""
    verdict = _once(problem, plan, directory, resumed)
    if not isinstance(verdict.ending, UnrepeatedRefusals) or verdict.violation is not None:
        return verdict
    other = _once(_with_goals(problem, problem.goals - {"livelock"}), plan, directory)
    if other.verdict == "violated" or isinstance(other.ending, Suspended):
        return other
    return verdict


def _once(
    problem: Problem,
    plan: Plan,
    directory: CheckpointDirectory,
    resumed: Manifest | None = None,
) -> Verdict:
    """Return the verdict of one search, confirmed at full size."""
    search = ScaledSearch(translated(problem), plan, directory).searched(resumed)
    if not search.result.found:
        return without_violation(search)
    return with_violations(examined(confirmed(counterexamples(search))))


def _with_goals(problem: Problem, goals: frozenset[str] | tuple[str, ...]) -> Problem:
    return replace(problem, goals=frozenset(goals))
