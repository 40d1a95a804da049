"""Checks a design: from the smallest scenario to the largest, until a violation or the end."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from iopermit.search.explore import (
    AGAIN,
    FULL,
    Exploration,
    Limits,
    Native,
    Progress,
    explore,
)
from iopermit.search.interruption import Interruption
from iopermit.system.results import Saving, SearchStatistics, Uncovered, Verdict
from iopermit.system.scenario import ALL_EVENTS, PLAIN_EVENTS, Event, Scenario
from iopermit.translate.environment import build
from iopermit.translate.initial import initial_values
from iopermit.translate.ir import NO_ROOM, VIOLATIONS, Check, Field, Model, statements
from iopermit.translate.jit import Compiled, compile_model
from iopermit.translate.native_labels import SWITCH_RULE, THREAD_RULE, USER_RULE
from iopermit.translate.reductions import NO_REDUCTIONS, REDUCTIONS, Reductions
from iopermit.translate.trusted import trustworthy

if TYPE_CHECKING:
    from iopermit.search.memory import Words
    from iopermit.system.design import Design
    from iopermit.system.site import Site

ProgressCallback = Callable[[Progress], None]
_SMALL = ((1, 1, 1), (1, 2, 1), (1, 2, 2), (2, 2, 1), (2, 2, 2), (2, 3, 2))
_QUICK = ((1, 1, 1), (1, 1, 2), (1, 2, 1), (1, 2, 2), (2, 1, 1))
"""CPUs, tasks and longs of scenarios for which optimising takes longer than searching."""

_MOST_BEYOND = 1 << 22
"""States visited beyond garbage if no limit is given: lost references can be counted for long."""


@dataclass(frozen=True)
class Settings:
    """How to search."""

    limits: Limits = field(default_factory=Limits)
    reductions: Reductions = field(default_factory=Reductions)
    threads: int = 1
    progress: ProgressCallback | None = None
    every: bool = False
    """Whether to go on to every different violation."""


def ladder(*, every: bool = False) -> Iterator[Scenario]:
    """Yield scenarios from small to large, plain events before all, up to the default one.

    To find every violation each scenario is searched to its end, so the large ones are left
    out; they can be asked for with explicit bounds.
    """
    if every:
        yield from (
            Scenario(*bounds, events)
            for events in (PLAIN_EVENTS, ALL_EVENTS)
            for bounds in _SMALL[1:3]
        )
        return
    for bounds in _SMALL[:-2]:
        yield Scenario(*bounds, PLAIN_EVENTS)
    for bounds in _SMALL:
        yield Scenario(*bounds, ALL_EVENTS)


def check(  # noqa: PLR0913 - the interface of the verb
    design: type[Design],
    scenario: Scenario | None = None,
    *,
    limits: Limits = Limits(),  # noqa: B008 - immutable
    reductions: Reductions = Reductions(),  # noqa: B008 - immutable
    threads: int = 1,
    every: bool = False,
    progress: ProgressCallback | None = None,
    options: tuple[str, ...] = (),
    with_savings: bool = False,
) -> Verdict:
    """Return the verdict about ``design`` in one scenario, or in a ladder of them if None.

    Raises DesignError for a design that cannot be translated and ReplayError if the replay at
    full size disagrees with the search. ``with_savings`` also searches the scenario of the verdict
    without each reduction (:func:`savings`), each time within the limits.
    """
    settings = Settings(limits, reductions, threads, progress, every)
    scenarios = [scenario] if scenario is not None else ladder(every=every)
    with Interruption():
        verdict = _checked(design, scenarios, settings)
        if with_savings:
            saved = tuple(savings(design, verdict.scenario, replace(settings, every=False)))
            verdict = replace(verdict, search=replace(verdict.search, savings=saved))
    return replace(
        verdict,
        options=options,
        also=tuple(replace(also, options=options) for also in verdict.also),
    )


def _checked(design: type[Design], scenarios: Iterable[Scenario], settings: Settings) -> Verdict:
    """Return the verdict about ``design`` after one scenario or several."""
    started, every = time.monotonic(), settings.every
    verdicts: list[Verdict] = []
    for each in scenarios:
        remaining = replace(settings, limits=settings.limits.after(started))
        verdicts.append(check_once(design, each, remaining))
        if every and _has_garbage(verdicts[-1]):
            verdicts.append(_beyond_garbage(design, each, remaining))
        last = verdicts[-1]
        limited = last.verdict == "undetermined" and not last.longs_needed
        if limited or (last.verdict == "violated" and not every):
            break
    return _different(verdicts) if every else _with_smaller(verdicts)


def _beyond_garbage(design: type[Design], scenario: Scenario, settings: Settings) -> Verdict:
    """Return what else comes of garbage: schedules end at it, so that it shows only beyond."""
    limits = settings.limits
    if limits.max_states is None:
        limits = replace(limits, max_states=_MOST_BEYOND)
    return check_once(design, replace(scenario, garbage=False), replace(settings, limits=limits))


def _has_garbage(verdict: Verdict) -> bool:
    return any(
        v.violation is not None and v.violation.kind == "garbage" for v in (verdict, *verdict.also)
    )


def _with_smaller(verdicts: list[Verdict]) -> Verdict:
    """Return the last verdict; if a limit ended it, with the largest scenario that holds."""
    last = verdicts[-1]
    exhausted = [v.scenario for v in verdicts if v.verdict == "holds"]
    if last.verdict != "undetermined" or not exhausted:
        return last
    most = exhausted[-1]
    smaller = most.size
    return replace(last, reason=f"{last.reason}; exhausted without a violation: {smaller}")


def _different(verdicts: list[Verdict]) -> Verdict:
    """Combine the verdicts of several scenarios: the first violation, and all different ones."""
    found: dict[tuple[str, Site | None], Verdict] = {}
    for verdict in verdicts:
        for each in (verdict, *verdict.also):
            if each.violation is not None:
                found.setdefault((each.violation.kind, each.violation.site), replace(each, also=()))
    if not found:
        return verdicts[-1]
    first, *rest = (replace(each, reason="") for each in found.values())
    longs = max(verdict.scenario.longs for verdict in verdicts)
    cut = [
        f"{each.reason} ({each.scenario.size})"
        for each in verdicts
        if each.reason and (not each.longs_needed or longs < each.longs_needed)
    ]
    return replace(first, also=tuple(rest), reason=cut[0] if cut else "")


def check_once(design: type[Design], scenario: Scenario, settings: Settings) -> Verdict:
    """Return the verdict about ``design`` in one scenario."""
    search = Search(design, scenario, settings)
    return search.verdict()


def savings(design: type[Design], scenario: Scenario, settings: Settings) -> Iterator[Saving]:
    """Search a scenario to its end with the reductions that are on, and without each of them."""
    everything, _ = Search(design, scenario, settings).explore(stop=False)
    on = [f.name for f in fields(Reductions) if getattr(settings.reductions, f.name)]
    for name in on:
        off = replace(settings, reductions=replace(settings.reductions, **{name: False}))
        result, _ = Search(design, scenario, off).explore(stop=False)
        exhausted = result.exhausted and everything.exhausted
        yield Saving(REDUCTIONS[name], everything.states, result.states, exhausted)


class Search:
    """One scenario of one design: translated, compiled, explored."""

    def __init__(self, design: type[Design], scenario: Scenario, settings: Settings) -> None:
        """Prepare; nothing is compiled yet."""
        self.design, self.scenario, self.settings = design, scenario, settings
        self.compile_seconds = 0.0

    def explore(
        self, *, stop: bool = True, goals: frozenset[str] = VIOLATIONS
    ) -> tuple[Exploration, Native]:
        """Explore; with reductions, again without an assumption that turned out wrong."""
        model = build(self.design, self.scenario, blame=self.settings.every)
        trusted = trustworthy(model) if self.settings.reductions.merging else ()
        initial = initial_values(self.design, self.scenario, model)
        started = time.monotonic()
        while True:
            compiled = self.compile(model, trusted)
            native = Native(compiled)
            result = explore(
                native,
                initial,
                self.settings.limits.after(started),
                self.settings.threads,
                stop=stop,
                goals=goals,
                progress=self._progress(),
            )
            broken = broken_assumptions(compiled, result)
            limited = result.reason not in {"", AGAIN, FULL}
            if not broken or (stop and result.found) or limited:
                return result, native
            trusted = tuple(f for f in trusted if f not in broken)

    def compile(self, model: Model, trusted: tuple[Field, ...]) -> Compiled:
        """Compile, and keep account of the time."""
        started = time.monotonic()
        compiled = compile_model(
            model, self.settings.reductions, trusted, optimised=not self._is_small
        )
        self.compile_seconds += time.monotonic() - started
        return compiled

    @property
    def _is_small(self) -> bool:
        """Whether the search is over before optimised machine code would be ready."""
        scenario = self.scenario
        bounds = (scenario.cpus, scenario.tasks, scenario.longs)
        if self.settings.reductions.merging:
            return bounds in (*_QUICK, (2, 2, 1))
        few_steps = scenario.tasks == 1 or not scenario.has(Event.PREEMPT)
        return few_steps and bounds in _QUICK

    def _progress(self) -> ProgressCallback | None:
        callback = self.settings.progress
        if callback is None:
            return None
        name = self.scenario.size
        return lambda progress: callback(replace(progress, scenario=name))

    def verdict(self) -> Verdict:
        """Explore and report."""
        result, native = self.explore(stop=not self.settings.every)
        if result.full is not None:
            result.reason = what_has_no_room(native, result.full)
        uncovered = what_was_not_covered(native.compiled.model, result, self.scenario)
        if not result.found:
            if result.exhausted:
                return self._verdict("holds", result, uncovered, confirmed=False)
            return self._verdict("undetermined", result, uncovered, confirmed=False)
        verdicts = self._all_confirmed(result, native, uncovered)
        needed = native.compiled.model.real_longs + 1 if len(verdicts) < len(result.found) else 0
        if not verdicts:
            undetermined = self._verdict("undetermined", result, uncovered, confirmed=False)
            return replace(undetermined, longs_needed=needed)
        reason = result.reason if self.settings.every else ""
        return replace(verdicts[0], also=tuple(verdicts[1:]), reason=reason, longs_needed=needed)

    def _all_confirmed(
        self, result: Exploration, native: Native, uncovered: Uncovered
    ) -> list[Verdict]:
        """Return a verdict for each violation found that full size confirms.

        A design may name a number of real longs, of which a long stands for more where there are
        few. What such a search finds need not be a violation. Else each must be confirmed.
        """
        from iopermit.search.replay import ReplayError  # noqa: PLC0415 - only violations need it

        verdicts = []
        needed = native.compiled.model.real_longs + 1
        for (_, statement), path in sorted(
            result.found.items(), key=lambda item: (len(item[1]), item[0])
        ):
            try:
                verdicts.append(self._violated(statement, path, result, native, uncovered))
            except ReplayError:
                if self.scenario.longs >= needed:
                    raise
                result.exhausted = False
                result.reason = (
                    f"what was found with {self.scenario.size} is no violation at full size; "
                    f"search with --longs {needed}"
                )
        return verdicts

    def _violated(
        self,
        statement: int,
        path: list[Words],
        result: Exploration,
        native: Native,
        uncovered: Uncovered,
    ) -> Verdict:
        """Return the verdict for one violation, confirmed at full size."""
        # Imported only now: a design that holds needs neither.
        from iopermit.search.replay import confirm  # noqa: PLC0415
        from iopermit.search.schedule import concrete_schedule  # noqa: PLC0415

        model = native.compiled.model
        plain = Native(compile_model(model, NO_REDUCTIONS, optimised=False))
        values = initial_values(self.design, self.scenario, model)
        initial = plain.pack(plain.compiled.packing.working(values))
        schedule, kind = concrete_schedule(path, native, plain, initial)
        replayed = confirm(self.design, self.scenario, schedule, kind)
        violation = replayed.violation
        if kind == "leak" and not self.scenario.unprivileged:
            violation = replace(violation, needs_privilege=self._needs_privilege(statement))
        verdict = self._verdict("violated", result, uncovered, confirmed=True)
        return replace(verdict, violation=violation, trace=replayed.trace)

    def _needs_privilege(self, statement: int) -> bool | None:
        """Return whether no task without CAP_SYS_RAWIO from the start gains ports this way."""
        result = self._unprivileged
        if any(found == statement for _, found in result.found):
            return False
        return True if result.exhausted else None

    @functools.cached_property
    def _unprivileged(self) -> Exploration:
        """The leaks to tasks that never have the privilege: one search for all of them."""
        scenario = replace(self.scenario, unprivileged=True)
        search = Search(self.design, scenario, self.settings)
        return search.explore(stop=not self.settings.every, goals=frozenset({"leak"}))[0]

    def _verdict(
        self,
        verdict: Literal["holds", "violated", "undetermined"],
        result: Exploration,
        uncovered: Uncovered,
        *,
        confirmed: bool,
    ) -> Verdict:
        statistics = SearchStatistics(
            result.states,
            result.transitions,
            result.depth,
            result.seconds,
            result.exhausted,
            confirmed,
            result.memory,
            self.compile_seconds,
        )
        return Verdict(
            self.design.id or self.design.__name__,
            self.scenario,
            verdict,
            result.reason if verdict == "undetermined" or self.settings.every else "",
            None,
            None,
            statistics,
            uncovered,
            design_file=inspect.getfile(self.design),
        )


def broken_assumptions(compiled: Compiled, result: Exploration) -> frozenset[Field]:
    """Return the trusted fields that were written while others could see the object."""
    flags = result.covered[compiled.watch_base :]
    return frozenset(f for f, flag in zip(compiled.trusted, flags, strict=False) if flag)


def what_has_no_room(native: Native, state: Words) -> str:
    """Return which statement needed more than the model has room for, in the last state."""
    model = native.compiled.model
    values = native.compiled.packing.values(native.unpack(state))
    for pc in (*values["cpu", "pc"], *values["task", "pc"]):
        step = model.steps.get(pc)
        checks = [s for s in statements(step.body) if isinstance(s, Check)] if step else []
        for check in checks:
            if check.verdict == NO_ROOM and step is not None and step.site is not None:
                where = f"{Path(step.site.file).name}:{step.site.line}"
                return f"{where} needs {check.message}"
    return FULL


def what_was_not_covered(model: Model, result: Exploration, scenario: Scenario) -> Uncovered:
    """Return the statements that no schedule reached and the events that never happened."""
    reached = {s.site for pc, s in model.steps.items() if result.covered[pc]}
    missing = {s.site for s in model.steps.values() if s.site is not None} - reached
    base = len(model.steps) + 8
    happened: set[str] = set()
    rules = (
        (USER_RULE, model.user_rules),
        (THREAD_RULE, model.thread_rules),
        (SWITCH_RULE, model.switch_rules),
    )
    for kind, of_kind in rules:
        happened |= {
            rule.event
            for number, rule in enumerate(of_kind)
            if result.covered[base + kind + number]
        }
    flags = {"allocation-fails", "preempt", "migrate"}
    events = tuple(sorted(e.value for e in scenario.events if e.value not in happened | flags))
    statements = tuple(
        sorted((s for s in missing if s is not None), key=lambda s: (s.file, s.line, s.column))
    )
    not_asked = tuple(sorted(e.value for e in ALL_EVENTS - scenario.events))
    return Uncovered(statements, events, not_asked)
