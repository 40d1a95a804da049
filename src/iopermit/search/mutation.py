"""Searches the mutants of a design: whether the specification notices each weakened statement."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from iopermit.engine.control import Control
from iopermit.engine.errors import ScheduleError, UnrepeatedError
from iopermit.engine.limits import Limits
from iopermit.search.compilation import compiled_plainly, translated
from iopermit.search.counterexample.confirmation import confirm
from iopermit.search.counterexample.counterexamples import counterexample
from iopermit.search.exploration.native import NativeFunctions
from iopermit.search.problem import Problem, Settings
from iopermit.search.refinement import searched
from iopermit.system.events import Event
from iopermit.system.events.hooks import BRING_UP
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS
from iopermit.translate.frontend.load import load_design

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.ladder import Bounds
    from iopermit.search.counterexample.counterexamples import DesignCounterexample
    from iopermit.search.refinement import Searched
    from iopermit.translate.frontend.mutate import Mutation

_ONCE: Final = Settings(optimised=False, kept=False)
"""Machine code that serves only once: compiled in about a third of the usual time."""
_LIMITS: Final = Limits(4_000_000)

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


def events_for(mutation: Mutation) -> frozenset[Event]:
    """Return the events under which a mutant of a design that holds is searched.

    What a CPU does that comes up is only needed in full if one can come up again.
    """
    events = HOLDS_UNDER[mutation.design.id]
    return events | {Event.CPU_OFFLINE} if mutation.method == BRING_UP.name else events


@dataclass(frozen=True)
class MutantOutcome:
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


def check_mutant(
    mutation: Mutation,
    events: frozenset[Event],
    scenarios: Sequence[Bounds] = SMALL,
    *,
    confirmed: bool = False,
) -> MutantOutcome:
    """Search a mutant in `scenarios`, in their order, until it violates the specification.

    `confirmed` asks for the replay at full size, which gives the message.

    Raises:
        DesignError: the mutant is outside the design language.
        UndeterminedError: a search ended at a limit, or with a row of refusals that ends.
        ReplayError: the replay at full size does not confirm the search.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "mutant.py"
        mutation.write(file)
        design = load_design(f"{file}:Mutant")
        states, bounds = 0, scenarios[0]
        for bounds in scenarios:
            problem = Problem(design, Scenario(*bounds, events), _ONCE, Control(_LIMITS))
            search = searched(translated(problem))
            states += search.result.states
            if search.result.found:
                return _confirmed(search, states) if confirmed else _outcome(search, states)
            if search.result.ending is not None:
                why = search.result.ending.reason
                raise UndeterminedError(f"{mutation.key}: {why} in {bounds}")
    return MutantOutcome(found=False, scenario=bounds, states=states)


def _outcome(search: Searched, states: int) -> MutantOutcome:
    """Return the shortest violation found, as the search has it."""
    (kind, _), path = search.result.shortest_first()[0]
    return MutantOutcome(
        found=True,
        scenario=_bounds(search),
        kind="loss" if kind == "livelock" else kind,
        steps=len(path) - 1,
        message="" if len(path) > 1 else "the initial state violates",
        states=states,
    )


def _confirmed(search: Searched, states: int) -> MutantOutcome:
    """Return the shortest violation found, replayed at full size."""
    _, path = search.result.shortest_first()[0]
    if len(path) == 1:
        return _outcome(search, states)
    try:
        functions = NativeFunctions(compiled_plainly(search.source, NO_REDUCTIONS))
        found = counterexample(search, functions, path)
    except ScheduleError:
        found = _without_reductions(search)
    try:
        replayed = confirm(search.source.problem, found)
    except UnrepeatedError as error:
        raise UndeterminedError(f"{_bounds(search)}: a row of refusals, and {error}") from error
    return MutantOutcome(
        found=True,
        scenario=_bounds(search),
        kind=replayed.violation.kind,
        steps=len(replayed.trace),
        message=replayed.violation.message,
        states=states,
    )


def _without_reductions(search: Searched) -> DesignCounterexample:
    """Search without reductions, so that the path is the schedule."""
    problem = search.source.problem
    settings = replace(problem.settings, reductions=NO_REDUCTIONS)
    plain = searched(translated(replace(problem, settings=settings)))
    if not plain.result.found:
        reason = plain.result.ending.reason if plain.result.ending else "nothing was found"
        raise UndeterminedError(f"{_bounds(search)} without reductions: {reason}")
    _, path = plain.result.shortest_first()[0]
    return counterexample(plain, plain.functions, path)


def _bounds(search: Searched) -> Bounds:
    scenario = search.source.problem.scenario
    return scenario.cpus, scenario.tasks, scenario.longs
