"""Searches the mutants of a design: whether the specification notices each weakened statement."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from iopermit.engine.errors import ScheduleError
from iopermit.engine.limits import Limits
from iopermit.search.native import Native
from iopermit.search.one_scenario import Search, Settings
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, Reductions
from iopermit.translate.frontend.load import load_design
from iopermit.translate.native.jit import Compiled, compile_model

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.ladder import Bounds
    from iopermit.search.explore import Exploration
    from iopermit.search.replay import Confirmation
    from iopermit.translate.frontend.mutate import Mutation
    from iopermit.translate.model.model import Model
    from iopermit.translate.model.nodes import Field

SMALL: Final[tuple[Bounds, ...]] = ((1, 2, 1), (2, 2, 1), (1, 2, 2))
"""The scenarios in which a mutant is searched, until it is found."""

_VM_EXIT: Final = frozenset({Event.VM_EXIT})
_CALM: Final = frozenset({Event.PREEMPT})

HOLDS_UNDER: Final[dict[str, frozenset[Event]]] = {
    "linux-2.6.8": PLAIN_EVENTS,
    "linux-2.6.10-L1": PLAIN_EVENTS,
    "linux-5.4": PLAIN_EVENTS | _VM_EXIT,
    "linux-v2-06-reviewed+prev_max": PLAIN_EVENTS | _VM_EXIT,
    "linux-5.5": PLAIN_EVENTS - _CALM | _VM_EXIT,
    "linux-5.7": PLAIN_EVENTS - _CALM | _VM_EXIT,
    "linux-5.8": PLAIN_EVENTS - _CALM | _VM_EXIT,
    "linux-5.8-xen-pv": PLAIN_EVENTS - _CALM,
    "linux-6.16": ALL_EVENTS - _CALM,
    "linux-6.16+preempt_off": ALL_EVENTS,
}
"""The designs that hold, and the events under which they (and so their mutants) are searched."""


@dataclass(frozen=True)
class Outcome:
    """What the search says about a mutant."""

    found: bool
    scenario: Bounds
    """Where it was found, or the last one that was exhausted."""
    kind: str = ""
    """``leak``, ``loss``, ``crash``, ``garbage``; empty if it survives."""
    steps: int = 0
    """Length of the schedule: transitions of the search, or steps at full size if confirmed."""
    message: str = ""
    """What the replay at full size says; empty if it was not asked."""
    states: int = 0
    """States of all the searches."""


class UndeterminedError(Exception):
    """A search of a mutant ended at a limit."""


def judge(
    mutation: Mutation,
    events: frozenset[Event],
    scenarios: Sequence[Bounds] = SMALL,
    *,
    confirmed: bool = False,
) -> Outcome:
    """Search a mutant in `scenarios`, in their order, until it violates the specification.

    `confirmed` asks for the replay at full size, which gives the message.

    Raises:
        DesignError: the mutant is outside the design language.
        UndeterminedError: a search ended at a limit.
        ReplayError: the replay at full size does not confirm the search.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "mutant.py"
        mutation.write(file)
        design = load_design(f"{file}:Mutant")
        states, bounds = 0, scenarios[0]
        for bounds in scenarios:
            search = _MutantSearch(design, Scenario(*bounds, events), Settings(Limits(4_000_000)))
            result, native = search.explore()
            states += result.states
            if result.found:
                return search.outcome(bounds, states, result, native if confirmed else None)
            if not result.exhausted:
                raise UndeterminedError(f"{mutation.key}: {result.reason} in {bounds}")
    return Outcome(found=False, scenario=bounds, states=states)


class _MutantSearch(Search):
    """A search whose machine code is neither optimised nor kept: it serves only once."""

    def compile(self, model: Model, assumed: tuple[Field, ...]) -> Compiled:
        """Compile in about a third of the usual time."""
        return _compile_for_once(model, self.settings.reductions, assumed)

    def outcome(
        self, bounds: Bounds, states: int, result: Exploration, native: Native | None
    ) -> Outcome:
        """Return the shortest violation found, replayed at full size if `native` is given."""
        (kind, _), path = result.shortest_first()[0]
        length = len(path) - 1
        if native is None or not length:
            message = "" if length else "the initial state violates"
            return Outcome(
                found=True, scenario=bounds, kind=kind, steps=length, message=message, states=states
            )
        try:
            plain = Native(_compile_for_once(native.compiled.model, NO_REDUCTIONS, ()))
            return self._outcome_of(states, self.replayed(path, native, plain))
        except ScheduleError:
            return self._confirmed(bounds, states)

    def _confirmed(self, bounds: Bounds, states: int) -> Outcome:
        """Search without reductions, so that the path is the schedule, and replay it."""
        search = _MutantSearch(
            self.design, self.scenario, replace(self.settings, reductions=NO_REDUCTIONS)
        )
        result, plain = search.explore()
        if not result.found:
            raise UndeterminedError(f"{bounds} without reductions: {result.reason}")
        _, path = result.shortest_first()[0]
        return self._outcome_of(states, self.replayed(path, plain, plain))

    def _outcome_of(self, states: int, replayed: Confirmation) -> Outcome:
        scenario = self.scenario
        return Outcome(
            found=True,
            scenario=(scenario.cpus, scenario.tasks, scenario.longs),
            kind=replayed.violation.kind,
            steps=len(replayed.trace),
            message=replayed.violation.message,
            states=states,
        )


def _compile_for_once(model: Model, reductions: Reductions, assumed: tuple[Field, ...]) -> Compiled:
    return compile_model(model, reductions, assumed, optimised=False, kept=False)
