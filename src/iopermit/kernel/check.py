"""Checks a kernel tree: searches its own code under every event, and confirms what it finds.

The stages, each entered once for a scenario: bring up, search, counterexample, replay, verdict.
What comes before, from patches to a linked image, is `iopermit.kernel.loading`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from iopermit.engine.control import Control
from iopermit.engine.errors import ReplayError
from iopermit.engine.facts import about_scenario, concerning
from iopermit.engine.verdict import SearchStatistics, Verdict
from iopermit.kernel.conformance.tree_rules import conformance_of
from iopermit.kernel.execution.scheduling_points import SchedulingPoints
from iopermit.kernel.search.counterexample import Scheduled, TreeCounterexample, counterexample_of
from iopermit.kernel.search.faults import FaultsOfTree, TreeFault
from iopermit.kernel.search.parallel import started
from iopermit.kernel.search.reference import ReferenceSearch
from iopermit.kernel.search.replay import ScheduleReplayer
from iopermit.kernel.search.tree_search import TreeSearch
from iopermit.kernel.state.xen import UnknownMap
from iopermit.kernel.verdict import (
    exhausted_too,
    verdict_of,
    verdict_of_rules,
    with_coverage,
    with_doubts,
    with_unchecked,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from iopermit.engine.facts import Facts
    from iopermit.engine.trace import Replay
    from iopermit.kernel.conformance.tree_rules import Conformance
    from iopermit.kernel.loading import LoadedTree
    from iopermit.system.events import Event
    from iopermit.system.scenario import Scenario

Executed = set[tuple[int, int]]
"""Address and size of the basic blocks that were executed."""


class Examined(NamedTuple):
    """The verdict about a tree, and the faults that were met; the last may have ended a search."""

    verdict: Verdict
    faults: frozenset[TreeFault]


class _Searched(NamedTuple):
    verdict: Verdict
    executed: Executed
    faults: frozenset[TreeFault]


@dataclass(frozen=True)
class Passed:
    """After which faults a search goes on."""

    known: frozenset[TreeFault] = frozenset()
    every: bool = False
    """Whether after any."""


def check_tree(
    tree: LoadedTree,
    scenarios: Sequence[Scenario],
    *,
    control: Control | None = None,
    reference: int | None = None,
) -> Verdict:
    """Return the verdict about a tree: in the first scenario that does not hold, or the last.

    Args:
        tree: the tree.
        scenarios: what to search.
        control: says where searches give up.
        reference: how many events can happen in the reference mode; None: the usual search.

    Raises:
        KernelTreeError: the tree's code needs something that is not there.
        ReplayError: the violation does not show when its schedule is executed again.
    """
    return examine_tree(tree, scenarios, Passed(), control or Control(), reference).verdict


def examine_tree(
    tree: LoadedTree,
    scenarios: Sequence[Scenario],
    passed: Passed,
    control: Control,
    reference: int | None = None,
) -> Examined:
    """Return the verdict about a tree, and all faults that were met; see `check_tree`.

    Args:
        tree: the tree.
        scenarios: what to search.
        passed: faults after which the search goes on; those that are passed only are no violation.
        control: where the search gives up.
        reference: how many events can happen in the reference mode, which passes none.
    """
    conformance = _conformance(tree, frozenset().union(*(one.events for one in scenarios)))
    met = _broken_rules(conformance.replay)
    rules = None if met <= passed.known else conformance.replay
    doubt = conformance.doubt or _what_is_hidden(met)
    if rules is not None and conformance.is_final:
        return Examined(verdict_of_rules(tree, scenarios[0], rules), met)
    quiet = replace(control, progress=None)
    first, *others = scenarios
    search = functools.partial(_check_once, tree, passed, reference)
    waiting = [functools.partial(search, scenario, quiet) for scenario in others]
    with control.interruption, started(waiting, control.interruption) as results:
        verdict, executed, faults = search(first, control)
        exhausted: list[Verdict] = []
        for result in results:
            if verdict.verdict != "holds":
                break
            exhausted.append(verdict)
            verdict, more, others_met = result()
            executed |= more
            faults |= others_met
    if rules is not None and verdict.verdict != "violated":
        return Examined(verdict_of_rules(tree, scenarios[0], rules), met | faults)
    executed |= conformance.executed
    verdict = with_coverage(with_doubts(verdict, tree, executed, doubt), tree, executed)
    return Examined(exhausted_too(with_unchecked(verdict, conformance), exhausted), faults)


def _conformance(tree: LoadedTree, events: Collection[Event]) -> Conformance:
    objects = (*tree.built.objects, *tree.built.callers)
    return conformance_of(tree.image, tree.lines, objects, tree.suspects, events)


def _broken_rules(rules: Replay | None) -> frozenset[TreeFault]:
    """Return what single calls, or calls that are missing, show, as a fault."""
    found = None if rules is None else rules.violation
    if found is None:
        return frozenset()
    return frozenset({TreeFault(found.kind, (("", found.message),), frozenset())})


def _what_is_hidden(met: frozenset[TreeFault]) -> str:
    """Return why single calls are in doubt after a rule that is known to be broken."""
    for fault in met:
        return f"single calls end where the first rule is broken: {fault.where[0][1]}"
    return ""


def _check_once(
    tree: LoadedTree,
    passed: Passed,
    reference: int | None,
    scenario: Scenario,
    control: Control,
) -> _Searched:
    with concerning(lambda: _about_tree(tree) | about_scenario(scenario)):
        faults = FaultsOfTree(tree.lines, passed.known, every=passed.every)
        remaining = control.about(scenario.size).remaining()
        search: TreeSearch | ReferenceSearch
        if reference is None:
            search = TreeSearch(tree.image, scenario, remaining, faults)
            search.run()
            counterexample = counterexample_of(search)
        else:
            search = ReferenceSearch(tree.image, scenario, reference, remaining)
            search.run()
            counterexample = search.counterexample
        replay = None if counterexample is None else _confirmed(tree, scenario, counterexample)
        verdict = verdict_of(tree, search, counterexample, replay)
        executed = search.driver.kernel.executor.executed
        return _Searched(verdict, executed, frozenset(faults.met))


def _about_tree(tree: LoadedTree) -> Facts:
    subject = tree.subject
    names = ("tree", "patches", "version", "compiler", "key")
    return {name: getattr(subject, name) for name in names}


def _about_schedule(counterexample: TreeCounterexample) -> Facts:
    return {
        "schedule": [one.saved() for one in counterexample.schedule],
        "points": counterexample.points.saved(),
    }


def _confirmed(tree: LoadedTree, scenario: Scenario, counterexample: TreeCounterexample) -> Replay:
    """Execute a counterexample again on a fresh machine: it must show the same fault.

    Raises:
        ReplayError: it shows none, or another one.
    """
    with concerning(lambda: _about_schedule(counterexample)):
        replayer = ScheduleReplayer(tree, scenario, counterexample.points)
        replay = replayer.run(counterexample.schedule)
        if replay.violation is None:
            message = "the schedule, executed again on a fresh machine, shows no violation"
            raise ReplayError(message)
        if not counterexample.is_shown_by(replayer.finding, replayer.crash):
            message = (
                "the schedule, executed again on a fresh machine, shows another violation: "
                f"{replay.violation.message}"
            )
            raise ReplayError(message)
        return replay


def without_suspects(tree: LoadedTree, verdict: Verdict) -> Verdict:
    """Return a violated verdict that blames no line because a patch changed it."""
    tree, kernel = replace(tree, suspects=frozenset()), verdict.kernel
    assert kernel is not None  # the verdict is about a tree
    if kernel.schedule:
        schedule = [Scheduled.from_saved(one) for one in kernel.schedule]
        points = SchedulingPoints.from_saved(kernel.points)
        replay = ScheduleReplayer(tree, verdict.scenario, points).run(schedule)
    else:
        found = _conformance(tree, verdict.scenario.events).replay
        assert found is not None  # it was found with the suspects
        replay = found
    return replace(verdict, violation=replay.violation, trace=replay.trace)


def replay_tree(tree: LoadedTree, saved: Mapping[str, Any], scenario: Scenario) -> Verdict:
    """Execute a saved schedule again and return what it shows now.

    Raises:
        ReplayError: the schedule is damaged, or no longer shows the violation.
    """
    kernel = saved["kernel"]
    if not kernel["schedule"]:
        return _rules_again(tree, saved, scenario)
    try:
        schedule = [Scheduled.from_saved(one) for one in kernel["schedule"]]
        points = SchedulingPoints.from_saved(kernel["points"])
        replay = ScheduleReplayer(tree, scenario, points).run(schedule)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, AssertionError) as error:
        raise ReplayError(f"the schedule cannot be executed ({error})") from error
    except UnknownMap as error:
        raise ReplayError(f"what the schedule shows cannot be judged ({error})") from error
    wanted = saved["violation"]["message"]
    if replay.violation is None or replay.violation.message != wanted:
        raise ReplayError(f"the schedule no longer shows: {wanted}")
    subject = replace(
        tree.subject,
        bounds=tuple(kernel.get("bounds", ())),
        schedule=tuple(kernel["schedule"]),
        points=dict(kernel["points"]),
    )
    return Verdict(
        saved["subject"],
        scenario,
        "violated",
        "",
        replay.violation,
        replay.trace,
        SearchStatistics.of_saved(saved["search"]),
        design_file=tree.subject.tree,
        kernel=subject,
    )


def _rules_again(tree: LoadedTree, saved: Mapping[str, Any], scenario: Scenario) -> Verdict:
    """Check single calls and obligations again: what was found there has no schedule.

    Raises:
        ReplayError: the same rule is no longer broken.
    """
    wanted = saved["violation"]["message"]
    replay = _conformance(tree, scenario.events).replay
    if replay is None or replay.violation is None or replay.violation.message != wanted:
        raise ReplayError(f"the calls no longer show: {wanted}")
    return verdict_of_rules(tree, scenario, replay)
