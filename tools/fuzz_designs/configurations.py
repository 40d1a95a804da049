"""Searches one design with every reduction on, off and each alone, with one thread and two."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Final

from iopermit.search.explore import Explorer, Limits
from iopermit.search.native import Native, initial_state
from iopermit.search.one_scenario import Search, Settings, broken_assumptions
from iopermit.translate.analyses.assumptions import trustworthy
from iopermit.translate.analyses.hidden_maps import hidden_maps
from iopermit.translate.analyses.late_arguments import LateArguments
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, Reductions
from iopermit.translate.environment.environment import build
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.native.jit import Compiled, compile_model

if TYPE_CHECKING:
    from iopermit.search.explore import Exploration
    from iopermit.search.memory import Words
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario
    from iopermit.translate.model.ir import Field, Model

LIMITS: Final = Limits(max_states=1_000_000, max_memory=1 << 29, timeout=20.0)
"""For each search. A limit that is reached leaves the design out of the comparison."""

ALL: Final = Reductions()

CONFIGURATIONS: Final = {
    "none": NO_REDUCTIONS,
    "all": ALL,
    "all but symmetry": replace(ALL, symmetry=False),
    **{f.name: replace(NO_REDUCTIONS, **{f.name: True}) for f in fields(Reductions)},
    # Hidden maps take merging, and renaming where there are numbers.
    "hidden": replace(NO_REDUCTIONS, hidden=True, merging=True, counters=True),
}
"""The reductions that are on, by name; "none" is what the others are compared with."""


@dataclass(frozen=True)
class Made:
    """One finished search, and what it takes to look into it."""

    name: str
    result: Exploration
    native: Native
    states: Words
    """All visited states in stored form."""

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
    def reached(self) -> frozenset[int]:
        """The steps that were executed."""
        steps = self.native.compiled.model.steps
        return frozenset(pc for pc in steps if self.result.covered[pc])

    @property
    def words(self) -> str:
        """What it says, in a few words."""
        kinds = f" ({', '.join(sorted(self.kinds))})" if self.kinds else ""
        return f"{self.name}: {self.verdict}{kinds}, {self.result.states} states"


class Searches:
    """The searches of one design in one scenario."""

    def __init__(self, design: type[Design], scenario: Scenario) -> None:
        """Translate; nothing is searched yet."""
        self.design, self.scenario = design, scenario
        self.model = build(design, scenario)
        self.initial = initial_values(design, scenario, self.model)
        self.made: dict[str, Made] = {}

    def run(self, name: str) -> Made:
        """Search with one configuration to the end, beyond violations, or to a limit."""
        reductions = CONFIGURATIONS[name]
        trusted = trustworthy(self.model) if reductions.merging else ()
        while True:
            compiled = _compile(self.model, reductions, trusted)
            made = self._explored(name, compiled, 1)
            broken = broken_assumptions(compiled, made.result)
            if not broken or made.result.limited:
                self.made[name] = made
                return made
            trusted = tuple(f for f in trusted if f not in broken)

    def run_threads(self, name: str, threads: int) -> Made:
        """Search once more what :meth:`run` has searched, with several threads."""
        return self._explored(name, self.made[name].native.compiled, threads)

    def has_effect(self, name: str) -> bool:
        """Return whether a configuration can change anything."""
        match name:
            case "counters":
                return any(f.kind == "counter" for f in self.model.fields)
            case "arguments":
                return bool(LateArguments(self.model).open)
            case "hidden":
                return hidden_maps(self.model, CONFIGURATIONS[name]) is not None
        return True

    def search(self, name: str) -> Search:
        """Return the search with a configuration, which can replay what was found."""
        return Search(self.design, self.scenario, Settings(LIMITS, CONFIGURATIONS[name]))

    def _explored(self, name: str, compiled: Compiled, threads: int) -> Made:
        native, hidden = Native(compiled), compiled.hidden
        while True:
            explorer = Explorer(compiled, LIMITS, threads)
            result = explorer.run(initial_state(native, self.initial), stop=False)
            if hidden is None or not hidden.failed or result.limited:
                break
            hidden.restart()
        states = explorer.partitions[0].every_state()
        for other in explorer.partitions[1:]:
            states.extend(other.every_state())
        return Made(name, result, native, states)


def _compile(model: Model, reductions: Reductions, trusted: tuple[Field, ...]) -> Compiled:
    """Compile what serves only once: in about a third of the usual time."""
    return compile_model(model, reductions, trusted, optimised=False, kept=False)
