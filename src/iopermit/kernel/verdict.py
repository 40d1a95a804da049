"""The verdict about a tree: what a search, and the replay of what it found, amount to."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.engine.ending import Doubt
from iopermit.engine.verdict import SearchStatistics, Uncovered, Verdict
from iopermit.kernel.build.patches.names import shown
from iopermit.kernel.build.plan import CALLERS
from iopermit.kernel.search.reference import ReferenceSearch
from iopermit.system.events import askable_events

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from iopermit.engine.trace import Replay
    from iopermit.engine.verdict import KernelSubject
    from iopermit.kernel.conformance.tree_rules import Conformance
    from iopermit.kernel.loading import LoadedTree
    from iopermit.kernel.search.counterexample import TreeCounterexample
    from iopermit.kernel.search.tree_search import TreeSearch

    Search = TreeSearch | ReferenceSearch
    from iopermit.system.scenario import Scenario


def verdict_of(
    tree: LoadedTree,
    search: Search,
    counterexample: TreeCounterexample | None,
    replay: Replay | None,
) -> Verdict:
    """Return the verdict that one search gives."""
    result, scenario = search.result, search.scenario
    schedule = counterexample.schedule if counterexample is not None else ()
    kernel = replace(
        tree.subject,
        bounds=_stated_bounds(tree, search),
        schedule=tuple(one.saved() for one in schedule),
        points=search.driver.kernel.executor.accesses.points.saved(),
    )
    return Verdict(
        tree.name,
        scenario,
        "violated" if replay else "holds" if result.ending is None else "undetermined",
        "" if result.ending is None else result.ending.reason,
        replay.violation if replay else None,
        replay.trace if replay else None,
        SearchStatistics(
            result.states,
            result.transitions,
            result.depth,
            result.seconds,
            exhausted=replay is None and result.ending is None,
            confirmed_full_size=replay is not None,
        ),
        Uncovered((), _never(scenario, search.possible), _not_asked(scenario)),
        design_file=tree.subject.tree,
        kernel=kernel,
        ending=result.ending,
    )


def verdict_of_rules(tree: LoadedTree, scenario: Scenario, replay: Replay) -> Verdict:
    """Return the verdict that a broken rule gives, whatever a search would say."""
    return Verdict(
        tree.name,
        scenario,
        "violated",
        "",
        replay.violation,
        replay.trace,
        SearchStatistics(0, 0, 0, 0.0, exhausted=False, confirmed_full_size=True),
        Uncovered((), (), _not_asked(scenario)),
        design_file=tree.subject.tree,
        kernel=tree.subject,
    )


def with_unchecked(verdict: Verdict, conformance: Conformance) -> Verdict:
    """Return the verdict with the calls among its bounds that could not be looked for."""
    subject = _subject(verdict)
    more = [f"not checked: what {what} has to call" for what in conformance.unchecked]
    return replace(verdict, kernel=replace(subject, bounds=(*subject.bounds, *more)))


def with_doubts(
    verdict: Verdict,
    tree: LoadedTree,
    executed: Collection[tuple[int, int]],
    doubt: str,
) -> Verdict:
    """Return the verdict: undetermined with a doubt, or if nothing executed a changed line."""
    if verdict.verdict != "holds":
        return verdict
    why = doubt or _not_reached(tree, executed)
    if not why:
        return verdict
    return replace(verdict, verdict="undetermined", reason=why, ending=Doubt(why))


def _not_reached(tree: LoadedTree, executed: Collection[tuple[int, int]]) -> str:
    """Return that nothing executed what the patch changes, and in which functions."""
    missed = {site.function for site in tree.never_executed(executed)}
    # What is compiled to be looked at only: not a line of it is executed, with code or without.
    files = {path for path in tree.built.source.changed if f"{path[:-1]}o" in CALLERS}
    missed |= {tree.lines.function(*place) for place in tree.suspects if place[0] in files}
    functions = ", ".join(f"{name}()" for name in sorted(missed - {""}))
    if functions:
        return f"no execution reached what the patch changes in {functions}"
    if files:
        return f"{min(files)}, which the patch changes, is not executed"
    return ""


def exhausted_too(verdict: Verdict, others: Iterable[Verdict]) -> Verdict:
    """Return the verdict with the scenarios among its bounds that were exhausted before."""
    subject = _subject(verdict)
    more = [
        f"exhausted too: {other.scenario.size}: {other.search.states:,} states, "
        f"{other.search.seconds:.1f} s"
        for other in others
    ]
    return replace(verdict, kernel=replace(subject, bounds=(*subject.bounds, *more)))


def with_coverage(
    verdict: Verdict, tree: LoadedTree, executed: Iterable[tuple[int, int]]
) -> Verdict:
    """Return the verdict with the lines that were executed, and those that were not.

    Args:
        verdict: the verdict.
        tree: the tree.
        executed: address and size of the basic blocks that were executed in any scenario.
    """
    covered, missed = tree.lines.coverage(executed)
    subject = replace(_subject(verdict), covered=len(covered), lines=len(covered) + len(missed))
    uncovered = replace(verdict.uncovered, statements=tuple(missed))
    return replace(verdict, kernel=subject, uncovered=uncovered)


def _subject(verdict: Verdict) -> KernelSubject:
    assert verdict.kernel is not None  # the verdict is about a tree
    return verdict.kernel


def _never(scenario: Scenario, possible: set[str]) -> tuple[str, ...]:
    """Return the events of the scenario that never were possible."""
    return tuple(
        event.name
        for event in askable_events()
        if scenario.has(event) and (event.part_of or event).name not in possible
    )


def _not_asked(scenario: Scenario) -> tuple[str, ...]:
    return tuple(event.name for event in askable_events() if not scenario.has(event))


def _interleaving(search: Search) -> str:
    """Return where other code can come in between, and that it was the reference mode."""
    if isinstance(search, ReferenceSearch):
        return (
            f"the reference mode: at most {search.depth} events; other code comes in between "
            "before every access to memory, states that differ in anything are different; an "
            "instruction is atomic"
        )
    return (
        "an instruction is atomic; other code comes in between before accesses to memory that "
        "another context may access"
    )


def _about_xen(tree: LoadedTree) -> tuple[str, ...]:
    """Return what is assumed of the hypervisor if the kernel is a Xen PV guest."""
    if not tree.built.configuration.xen:
        return ()
    read = (
        "a Xen PV guest: Xen reads, at each access, the bitmap that the last hypercall of the CPU "
        "named; the domain owns every port"
    )
    return read, "no VM exits: a Xen PV guest runs no virtual machine"


def _stated_bounds(tree: LoadedTree, search: Search) -> tuple[str, ...]:
    """Return what bounds the search besides the scenario, in words."""
    scenario, kernel = search.scenario, search.driver.kernel
    ranges = (kernel.ports[one] for one in scenario.ranges)
    ports = ", ".join(f"{p.first}-{p.first + p.count - 1}" for p in ranges)
    return (
        f"ioperm() ranges: {ports}, and an invalid one",
        f"{kernel.memory.heap} heap objects alive at once at most",
        _interleaving(search),
        *_about_xen(tree),
        *(
            "not applied, since nothing that is checked is made of it: " + shown(os.fsencode(path))
            for path in sorted(set(tree.built.source.skipped))
        ),
        *(
            f"stores to {place}, which is not known to belong to the subsystem, are followed"
            for place in sorted(kernel.executor.notices)
        ),
    )
