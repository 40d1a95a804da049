"""Searches one scenario of one design: translates, compiles, explores, confirms, reports."""

from __future__ import annotations

import functools
import inspect
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from iopermit.engine.limits import Limits
from iopermit.engine.verdict import SearchStatistics, Uncovered, Verdict
from iopermit.search.explore import FULL, Exploration, explore
from iopermit.search.native import Native, initial_state
from iopermit.system.events import Event, all_events
from iopermit.translate.analyses.assumptions import assumed_unwritten
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, Reductions
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.model.nodes import NO_ROOM, VIOLATIONS, Check, Field
from iopermit.translate.model.walk import statements
from iopermit.translate.native.jit import Compiled, compile_model
from iopermit.translate.native.shared.labels import RULE_KINDS, rules_of
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from iopermit.engine.progress import ProgressCallback
    from iopermit.search.memory import Words
    from iopermit.search.replay import Confirmation
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario
    from iopermit.translate.model.model import Model


_QUICK = ((1, 1, 1), (1, 1, 2), (1, 2, 1), (1, 2, 2), (2, 1, 1))
"""CPUs, tasks and longs of scenarios for which optimising takes longer than searching."""


@dataclass(frozen=True)
class Settings:
    """How to search."""

    limits: Limits = field(default_factory=Limits)
    reductions: Reductions = field(default_factory=Reductions)
    threads: int = 1
    progress: ProgressCallback | None = None
    every: bool = False
    """Whether to go on to every different violation."""


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
        model = translate(self.design, self.scenario, blame=self.settings.every)
        assumed = assumed_unwritten(model) if self.settings.reductions.merging else ()
        initial = initial_values(self.design, self.scenario, model)
        started = time.monotonic()
        while True:
            compiled = self.compile(model, assumed)
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
            if not broken or (stop and result.found) or result.limited:
                return result, native
            assumed = tuple(f for f in assumed if f not in broken)

    def compile(self, model: Model, assumed: tuple[Field, ...]) -> Compiled:
        """Compile, and keep account of the time."""
        started = time.monotonic()
        compiled = compile_model(
            model, self.settings.reductions, assumed, optimised=not self._is_small
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
        uncovered = what_was_not_covered(native.compiled, result, self.scenario)
        if not result.found:
            if result.exhausted:
                return self._verdict("holds", result, uncovered, confirmed=False)
            return self._verdict("undetermined", result, uncovered, confirmed=False)
        verdicts = self._all_confirmed(result, native, uncovered)
        exact_longs = native.compiled.model.exact_longs
        needed = exact_longs if len(verdicts) < len(result.found) else 0
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
        from iopermit.engine.errors import ReplayError  # only violations need it

        verdicts = []
        model = native.compiled.model
        plain = Native(compile_model(model, NO_REDUCTIONS, optimised=False))
        for (_, statement), path in result.shortest_first():
            try:
                replayed = self.replayed(path, native, plain)
                verdicts.append(self._violated(statement, replayed, result, uncovered))
            except ReplayError:
                if self.scenario.longs >= model.exact_longs:
                    raise
                result.exhausted = False
                result.reason = (
                    f"what was found with {self.scenario.size} is no violation at full size; "
                    f"search with --longs {model.exact_longs}"
                )
        return verdicts

    def replayed(self, path: list[Words], native: Native, plain: Native) -> Confirmation:
        """Replay the path to a violation at full size; ``plain`` has no reductions.

        Raises ScheduleError if the path cannot be followed, ReplayError if it shows no violation.
        """
        # Imported only now: a design that holds needs neither.
        from iopermit.search.replay import confirm
        from iopermit.search.schedule import concrete_schedule

        values = initial_values(self.design, self.scenario, plain.compiled.model)
        initial = initial_state(plain, values)
        schedule, kind = concrete_schedule(path, native, plain, initial)
        return confirm(self.design, self.scenario, schedule, kind)

    def _violated(
        self, statement: int, replayed: Confirmation, result: Exploration, uncovered: Uncovered
    ) -> Verdict:
        """Return the verdict for one violation, confirmed at full size."""
        violation = replayed.violation
        if violation.kind == "leak" and not self.scenario.unprivileged:
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
    """Return the assumed fields that were written while others could see the object."""
    flags = result.covered[compiled.coverage.assumption(0) :]
    return frozenset(f for f, flag in zip(compiled.assumed, flags, strict=False) if flag)


def what_has_no_room(native: Native, state: Words) -> str:
    """Return which statement needed more than the model has room for, in the last state."""
    model = native.compiled.model
    values = native.compiled.packing.values(native.unpack(state))
    for pc in (*values["cpu", "pc"], *values["task", "pc"]):
        step = model.steps.get(pc)
        if step is None or step.site is None:
            continue
        for statement in statements(step.body):
            if isinstance(statement, Check) and statement.verdict == NO_ROOM:
                return f"{step.site.short} needs {statement.message}"
    return FULL


def what_was_not_covered(compiled: Compiled, result: Exploration, scenario: Scenario) -> Uncovered:
    """Return the statements that no schedule reached and the events that never happened."""
    model, layout = compiled.model, compiled.coverage
    reached = {s.site for pc, s in model.steps.items() if result.covered[layout.step(pc)]}
    missing = {s.site for s in model.steps.values() if s.site is not None} - reached
    happened: set[str] = {
        rule.event
        for kind in RULE_KINDS
        for number, rule in enumerate(rules_of(model, kind))
        if result.covered[layout.rule(kind, number)]
    }
    started = (event for event in scenario.events if event.part_of is None)
    events = tuple(sorted(event.name for event in started if event.name not in happened))
    statements = tuple(
        sorted((s for s in missing if s is not None), key=lambda s: (s.file, s.line, s.column))
    )
    not_asked = tuple(sorted(event.name for event in all_events() - scenario.events))
    return Uncovered(statements, events, not_asked)
