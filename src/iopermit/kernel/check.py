"""Checks a kernel tree: searches its own code under every event, and confirms what it finds."""

from __future__ import annotations

import functools
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from iopermit.engine.errors import ReplayError
from iopermit.engine.limits import Limits
from iopermit.engine.progress import Progress, ProgressCallback
from iopermit.engine.verdict import SearchStatistics, Uncovered, Verdict
from iopermit.kernel.execution.boot import bring_up
from iopermit.kernel.execution.scheduling_points import SchedulingPoints
from iopermit.kernel.search.parallel import started
from iopermit.kernel.search.replay import ScheduleReplayer
from iopermit.kernel.search.schedule import Scheduled, concrete_schedule, scheduled
from iopermit.kernel.search.tree_search import SearchResult, TreeSearch
from iopermit.system.events import askable_events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iopermit.engine.trace import Replay
    from iopermit.kernel.loading import LoadedTree
    from iopermit.system.scenario import Scenario

Executed = set[tuple[int, int]]
"""Address and size of the basic blocks that were executed."""


def check_tree(
    tree: LoadedTree,
    scenarios: Sequence[Scenario],
    *,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    progress: ProgressCallback | None = None,
) -> Verdict:
    """Return the verdict about a tree: in the first scenario that does not hold, or the last.

    Raises:
        KernelTreeError: the tree's code needs something that is not there.
        ReplayError: the violation does not show when its schedule is executed again.
    """
    begun = time.monotonic()
    first, *others = scenarios

    def search(scenario: Scenario, report: ProgressCallback | None) -> tuple[Verdict, Executed]:
        return _check_once(tree, scenario, limits.after(begun), report)

    waiting = [functools.partial(search, scenario, None) for scenario in others]
    with started(waiting) as results:
        verdict, executed = search(first, progress)
        exhausted: list[str] = []
        for result in results:
            if verdict.verdict != "holds":
                break
            exhausted.append(_exhausted(verdict))
            verdict, more = result()
            executed |= more
    return _with_bounds(_with_coverage(verdict, tree, executed), exhausted)


def _exhausted(verdict: Verdict) -> str:
    return (
        f"exhausted too: {verdict.scenario.size}: {verdict.search.states:,} states, "
        f"{verdict.search.seconds:.1f} s"
    )


def _with_bounds(verdict: Verdict, more: list[str]) -> Verdict:
    kernel = verdict.kernel
    assert kernel is not None  # the verdict is about a tree
    return replace(verdict, kernel=replace(kernel, bounds=(*kernel.bounds, *more)))


def _with_coverage(verdict: Verdict, tree: LoadedTree, executed: Executed) -> Verdict:
    """Return the verdict with the lines that were executed in any of the scenarios."""
    kernel = verdict.kernel
    assert kernel is not None  # the verdict is about a tree
    covered, missed = tree.lines.coverage(executed)
    numbers = replace(kernel, covered=len(covered), lines=len(covered) + len(missed))
    uncovered = replace(verdict.uncovered, statements=tuple(missed))
    return replace(verdict, kernel=numbers, uncovered=uncovered)


def _check_once(
    tree: LoadedTree,
    scenario: Scenario,
    limits: Limits,
    progress: ProgressCallback | None,
) -> tuple[Verdict, Executed]:
    driver, initial = bring_up(tree.image, scenario)

    def report(found: SearchResult, frontier: int) -> None:
        if progress is not None:
            figures = (found.states, found.depth, frontier, found.transitions)
            progress(Progress(*figures, found.seconds, found.memory, scenario.size))

    searching = TreeSearch(
        driver,
        initial,
        scenario,
        limits=limits,
        progress=report,
    )
    result = searching.run()
    schedule: list[Scheduled] = []
    replay: Replay | None = None
    if result.found is not None:
        schedule = concrete_schedule(searching, result.found)
        points = driver.kernel.executor.accesses.points
        replay = ScheduleReplayer(tree.image, tree.lines, scenario, points, tree.suspects).run(
            schedule
        )
        if replay.violation is None:
            message = "the schedule, executed again on a fresh machine, shows no violation"
            raise ReplayError(message)
    verdict = _verdict(tree, scenario, result, schedule, replay, searching)
    return verdict, driver.kernel.executor.executed


def _verdict(
    tree: LoadedTree,
    scenario: Scenario,
    result: SearchResult,
    schedule: list[Scheduled],
    replay: Replay | None,
    searching: TreeSearch,
) -> Verdict:
    kernel = replace(
        tree.subject,
        bounds=_stated_bounds(searching),
        schedule=tuple(one.saved() for one in schedule),
        points=searching.driver.kernel.executor.accesses.points.saved(),
    )
    possible = {move.action.event for move in searching.rules.known_moves()}
    return Verdict(
        tree.name,
        scenario,
        "violated" if replay else "undetermined" if result.limit else "holds",
        result.limit,
        replay.violation if replay else None,
        replay.trace if replay else None,
        SearchStatistics(
            result.states,
            result.transitions,
            result.depth,
            result.seconds,
            exhausted=replay is None and not result.limit,
            confirmed_full_size=replay is not None,
        ),
        Uncovered((), _never(scenario, possible), _not_asked(scenario)),
        design_file=tree.subject.tree,
        kernel=kernel,
    )


def _never(scenario: Scenario, possible: set[str]) -> tuple[str, ...]:
    """Return the events of the scenario that never were possible."""
    return tuple(
        event.name
        for event in askable_events()
        if scenario.has(event) and (event.part_of or event).name not in possible
    )


def _not_asked(scenario: Scenario) -> tuple[str, ...]:
    return tuple(event.name for event in askable_events() if not scenario.has(event))


def _stated_bounds(searching: TreeSearch) -> tuple[str, ...]:
    """Return what bounds the search besides the scenario, in words."""
    scenario, kernel = searching.scenario, searching.driver.kernel
    ranges = (kernel.ports[one] for one in scenario.ranges)
    ports = ", ".join(f"{p.first}-{p.first + p.count - 1}" for p in ranges)
    return (
        f"ioperm() ranges: {ports}, and an invalid one",
        f"{kernel.memory.heap} heap objects alive at once at most",
        (
            "an instruction is atomic; other code comes in between before accesses to memory that "
            "another context may access"
        ),
    )


def replay_tree(tree: LoadedTree, saved: Mapping[str, Any], scenario: Scenario) -> Verdict:
    """Execute a saved schedule again and return what it shows now.

    Raises:
        ReplayError: the schedule is damaged, or no longer shows the violation.
    """
    kernel, figures = saved["kernel"], saved["search"]
    try:
        schedule = [scheduled(one) for one in kernel["schedule"]]
        points = SchedulingPoints.from_saved(kernel["points"])
        replay = ScheduleReplayer(tree.image, tree.lines, scenario, points, tree.suspects).run(
            schedule
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, AssertionError) as error:
        raise ReplayError(f"the schedule cannot be executed ({error})") from error
    wanted = saved["violation"]["message"]
    if replay.violation is None or replay.violation.message != wanted:
        raise ReplayError(f"the schedule no longer shows: {wanted}")
    statistics = SearchStatistics(
        figures["states"],
        figures["transitions"],
        figures["depth"],
        figures["seconds"],
        figures["exhausted"],
        confirmed_full_size=True,
    )
    return Verdict(
        saved["subject"],
        scenario,
        "violated",
        "",
        replay.violation,
        replay.trace,
        statistics,
        design_file=tree.subject.tree,
        kernel=replace(
            tree.subject,
            bounds=tuple(kernel.get("bounds", ())),
            schedule=tuple(kernel["schedule"]),
            points=dict(kernel["points"]),
        ),
    )
