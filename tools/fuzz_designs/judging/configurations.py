"""Searches one design with every reduction on, off and each alone, with one thread and two."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from iopermit.engine.control import Control
from iopermit.engine.limits import Limits
from iopermit.search.compilation import compiled, translated
from iopermit.search.exploration.design_search import DesignSearch, DesignSearchResult
from iopermit.search.exploration.native import NativeFunctions, initial_state
from iopermit.search.problem import Problem, Settings
from iopermit.search.refinement import Searched, broken_assumptions
from iopermit.translate.analyses.assumptions import assumptions
from iopermit.translate.analyses.reductions import (
    COUNTERS,
    HIDDEN_MAPS,
    LATE_ARGUMENTS,
    MERGING,
    NO_REDUCTIONS,
    REDUCTIONS,
    SYMMETRY,
    Reductions,
    analyse,
)

if TYPE_CHECKING:
    from iopermit.search.compilation import Translated
    from iopermit.search.exploration.memory import Words
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario
    from iopermit.translate.native.jit import Compiled

LIMITS: Final = Limits(max_states=1_000_000, max_memory=1 << 29, timeout=20.0)
"""For each search. A limit that is reached leaves the design out of the comparison."""

ALL: Final = Reductions()

CONFIGURATIONS: Final = {
    "none": NO_REDUCTIONS,
    "all": ALL,
    "all but symmetry": ALL.without(SYMMETRY),
    **{each.name: NO_REDUCTIONS.with_(each) for each in REDUCTIONS},
    # Hidden maps take merging, and renaming where there are numbers.
    HIDDEN_MAPS.name: NO_REDUCTIONS.with_(HIDDEN_MAPS, MERGING, COUNTERS),
}
"""The reductions that are on, by name; "none" is what the others are compared with."""


@dataclass(frozen=True)
class Made:
    """One finished search, and what it takes to look into it."""

    name: str
    search: Searched
    states: Words
    """All visited states in stored form."""

    @property
    def result(self) -> DesignSearchResult:
        """What the search ended with."""
        return self.search.result

    @property
    def native(self) -> NativeFunctions:
        """The native functions of the search."""
        return self.search.functions

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of violations found."""
        return frozenset(self.result.violations)

    @property
    def exhausted(self) -> bool:
        """Whether every reachable state was visited."""
        return self.result.exhausted

    @property
    def verdict(self) -> str:
        """The verdict of the search."""
        return "violated" if self.kinds else "holds" if self.exhausted else "undetermined"

    @property
    def reason(self) -> str:
        """What ended the search early, or empty."""
        return "" if self.result.ending is None else self.result.ending.reason

    @property
    def reached(self) -> frozenset[int]:
        """The steps that were executed."""
        coverage, steps = self.native.compiled.coverage, self.native.compiled.model.steps
        return frozenset(pc for pc in steps if self.result.covered[coverage.step(pc)])

    @property
    def words(self) -> str:
        """What it says, in a few words."""
        kinds = f" ({', '.join(sorted(self.kinds))})" if self.kinds else ""
        return f"{self.name}: {self.verdict}{kinds}, {self.result.states} states"


class Searches:
    """The searches of one design in one scenario."""

    def __init__(self, design: type[Design], scenario: Scenario) -> None:
        """Translate; nothing is searched yet. Raises DesignError for what the language lacks."""
        self.design, self.scenario = design, scenario
        settings = Settings(NO_REDUCTIONS, exhaustive=True, optimised=False, kept=False)
        self.source = translated(Problem(design, scenario, settings, Control(LIMITS)))
        self.model, self.initial = self.source.model, self.source.initial
        self.made: dict[str, Made] = {}

    def run(self, name: str) -> Made:
        """Search with one configuration to the end, beyond violations, or to a limit."""
        source = self._source(name)
        assumed = assumptions(self.model) if CONFIGURATIONS[name].merging else ()
        while True:
            made = _explored(name, source, compiled(source, assumed), 1)
            broken = broken_assumptions(made.native.compiled, made.result)
            if not broken or made.result.limited:
                self.made[name] = made
                return made
            assumed = tuple(each for each in assumed if each not in broken)

    def run_threads(self, name: str, threads: int) -> Made:
        """Search once more what :meth:`run` has searched, with several threads."""
        return _explored(name, self._source(name), self.made[name].native.compiled, threads)

    def has_effect(self, name: str) -> bool:
        """Return whether a configuration can change anything."""
        match name:
            case COUNTERS.name:
                return any(f.kind == "counter" for f in self.model.fields)
            case LATE_ARGUMENTS.name:
                return LATE_ARGUMENTS in analyse(self.model, CONFIGURATIONS[name])
            case HIDDEN_MAPS.name:
                return HIDDEN_MAPS in analyse(self.model, CONFIGURATIONS[name])
        return True

    def _source(self, name: str) -> Translated:
        problem = self.source.problem
        settings = replace(problem.settings, reductions=CONFIGURATIONS[name])
        control = problem.control.again()
        return replace(self.source, problem=replace(problem, settings=settings, control=control))


def _explored(name: str, source: Translated, code: Compiled, threads: int) -> Made:
    """Search, again for hidden maps that were not known, or without forgetting them."""
    native, hidden = NativeFunctions(code), code.hidden
    while True:
        search = DesignSearch(code, source.problem.control.remaining(), threads)
        result = search.run(initial_state(native, source.initial), stop=False)
        if hidden is None or not hidden.failed or result.limited:
            break
        hidden.restart()
    states = search.partitions[0].every_state()
    for other in search.partitions[1:]:
        states.extend(other.every_state())
    return Made(name, Searched(source, native, result, 0.0), states)
