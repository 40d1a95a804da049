"""Checkers that share less with the search: the plain reading, the replay at full size, Spin."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support import spin
from tests.support.requirements import require_tool
from tests.support.search.lockstep import Lockstep
from tools.fuzz_designs.judging.configurations import ALL

from iopermit.certify.checker import certify
from iopermit.certify.errors import UnacceptableError
from iopermit.engine.certificate import write_certificate
from iopermit.engine.errors import ReplayError, UnrepeatedError
from iopermit.search.certificate import header_of
from iopermit.search.compilation import translated
from iopermit.search.counterexample.confirmation import confirm
from iopermit.search.counterexample.counterexamples import counterexample
from iopermit.search.refinement import searched
from iopermit.translate.analyses.reductions import COUNTERS, SYMMETRY
from iopermit.translate.obligations.discharge import discharge
from iopermit.translate.promela.export import export

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from tools.fuzz_designs.judging.configurations import Made, Searches

_WALK: Final = 150
"""Steps of the random walk in both readings."""

_CERTIFIED_STATES: Final = 150_000
"""States up to which a certificate is checked."""

_SPIN_STATES: Final = 150_000
"""States up to which Spin is asked."""


@dataclass(frozen=True)
class Check:
    """A checker; ``run`` returns how it disagrees, an empty text, or None if it has no say."""

    name: str
    run: Callable[[Searches, Made, random.Random], str | None]
    slow: bool = False
    """Whether it takes seconds, so that only some designs are given to it."""


def walk(searches: Searches, plain: Made, rng: random.Random) -> str | None:
    """Take random steps in both readings of the design, and compare the states.

    Where a long stands for more real ones than the design means by a number, they differ.
    """
    if plain.result.states == 1 and plain.kinds:
        return None  # the initial state violates
    if searches.scenario.longs < searches.model.exact_longs:
        return None
    try:
        Lockstep(searches.design, searches.scenario, plain.native).walk(_WALK, rng)
    except AssertionError as error:
        return str(error)
    return ""


def replay(searches: Searches, plain: Made, _rng: random.Random) -> str | None:
    """Execute the schedules that the searches found at full size."""
    problems, found = [], False
    for name in ("none", "all"):
        made = searches.made.get(name)
        if made is None:
            continue
        for (kind, _), path in made.result.shortest_first()[:1]:
            found = True
            try:
                confirm(made.search.source.problem, counterexample(made.search, plain.native, path))
            except UnrepeatedError:
                continue  # a row of refusals that full size shows, but that ends
            except ReplayError as error:
                if searches.scenario.longs >= searches.model.exact_longs:
                    problems.append(f"{name}: {kind}: {error}")
    return "; ".join(problems) if found else None


def every_violation(searches: Searches, plain: Made, _rng: random.Random) -> str | None:
    """Search for every violation with all reductions: the kinds are those that there are."""
    if not plain.exhausted or not plain.kinds:
        return None
    problem = searches.source.problem
    settings = replace(problem.settings, reductions=ALL, every=True, exhaustive=False)
    control = problem.control.again()
    result = searched(translated(replace(problem, settings=settings, control=control))).result
    if not result.exhausted:
        return None
    found = frozenset(result.violations)
    return "" if found == plain.kinds else f"{sorted(found)} of {sorted(plain.kinds)}"


def ask_spin(searches: Searches, plain: Made, _rng: random.Random) -> str | None:
    """Let Spin search the exported model: states, transitions and verdict must be the same."""
    if not plain.exhausted or plain.result.states > _SPIN_STATES:
        return None
    with tempfile.TemporaryDirectory() as folder:
        text = export(searches.model, searches.initial)
        theirs = spin.search(require_tool, text, Path(folder))
    transitions = plain.result.transitions
    if plain.result.states == 1 and plain.kinds:
        transitions = 1  # the export's own, by which the initial state fails the assertion
    ours = (plain.result.states, transitions, bool(plain.kinds))
    said = (theirs.states, theirs.transitions, theirs.violated)
    return "" if ours == said else f"states, transitions, violated: {ours}; Spin: {said}"


def certified(searches: Searches, plain: Made, rng: random.Random) -> str | None:
    """Let the checker of certificates verify the visited states of a search without merging."""
    scenario, problem = searches.scenario, searches.source.problem
    if plain.verdict != "holds" or not scenario.garbage or plain.result.states > _CERTIFIED_STATES:
        return None
    if searches.model.exact_longs > scenario.longs + 1:
        return None  # it names more longs than there are: no such design holds
    numbered = searches.has_effect(COUNTERS.name)
    name = COUNTERS.name if numbered else rng.choice(["none", SYMMETRY.name])
    made = searches.made.get(name, plain)
    header = header_of(problem, (), made.native.compiled)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "certificate"
        write_certificate(file, replace(header, states=made.result.states), [made.states.tobytes()])
        try:
            result = certify(file, processes=1)
        except UnacceptableError as error:
            return f"{name}: not accepted: {error}"
    return f"{name}: refuted: {result.refutation}" if result.refutation else ""


def undischarged(searches: Searches, plain: Made, _rng: random.Random) -> str | None:
    """Let z3 discharge what the reductions rest on for the design."""
    made = searches.made.get("all")
    if plain.verdict != "holds" or made is None:
        return None
    assumed = tuple(made.native.compiled.assumed)
    found = discharge(searches.model, searches.scenario, ALL, assumed)
    return "; ".join(f"{part.what}: {failure}" for part in found for failure in part.failures)


CHECKS: Final = (
    Check("walk", walk),
    Check("replay", replay),
    Check("every", every_violation),
    Check("certificate", certified),
    Check("spin", ask_spin, slow=True),
    Check("obligations", undischarged, slow=True),
)
"""In the order in which they are asked."""
