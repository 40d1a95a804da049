"""What tests of certificates share: making them, and making others of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from iopermit.engine.certificate import Header, read_header, write_certificate
from iopermit.search.certificate import certify_search, header_of
from iopermit.search.compilation import compiled_plainly, translated
from iopermit.search.exploration.design_search import DesignSearch
from iopermit.search.exploration.native import NativeFunctions, initial_state
from iopermit.search.problem import Problem, Settings
from iopermit.system.events import event_named
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, Reductions
from iopermit.translate.frontend.load import load_design

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN_DESIGN: Final = str(Path(__file__).with_name("every_construct.py"))
"""A user's design, which holds."""

FEW: Final = "ioperm,iopl,fork,exit"
"""Events that make small sets of states even for two tasks."""


def scenario(cpus: int, tasks: int, longs: int, events: str = "") -> Scenario:
    """Return a scenario under the events with these names, or under all that were recorded."""
    named = frozenset(map(event_named, events.split(","))) if events else ALL_EVENTS
    return Scenario(cpus, tasks, longs, named)


def certificate(
    file: Path,
    design: str,
    bounds: Scenario,
    reductions: Reductions = Reductions(),  # noqa: B008 - immutable
    options: tuple[str, ...] = (),
) -> int:
    """Write a certificate; return how many states the search visited."""
    loaded = load_design(design, options)
    settings = Settings(reductions, optimised=False)
    return certify_search(file, Problem(loaded, bounds, settings), options)


def visited_by_plain_search(
    file: Path, design: str, bounds: Scenario, options: tuple[str, ...], *, hide: bool
) -> set[str]:
    """Write what a search without reductions visits that goes on after violations.

    Returns:
        the kinds of violations. The states that have them are left out if ``hide`` says so.
    """
    loaded = load_design(design, options)
    problem = Problem(loaded, bounds, Settings(NO_REDUCTIONS, exhaustive=True))
    source = translated(problem)
    functions = NativeFunctions(compiled_plainly(source, NO_REDUCTIONS))
    search = DesignSearch(functions.compiled, problem.control)
    result = search.run(initial_state(functions, source.initial), stop=False)
    part = search.partitions[0]
    states = [part.state(number) for number in range(part.record.count)]
    kept = [s for s in states if not hide or functions.check(s)[0] == "none"]
    header = replace(header_of(problem, options, functions.compiled), states=len(kept))
    write_certificate(file, header, [state.tobytes() for state in kept])
    return set(result.violations)


def states_of(file: Path) -> NDArray[np.uint64]:
    """Return the stored states of a certificate, one a row."""
    header, start = read_header(file)
    return np.fromfile(file, "<u8", header.states * header.words, offset=start).reshape(
        header.states, header.words
    )


def rewrite(file: Path, states: NDArray[np.uint64] | None = None, **changes: Any) -> None:  # noqa: ANN401 - any field of the header
    """Write a certificate again, with a right checksum, but with something changed."""
    header: Header = read_header(file)[0]
    kept = states_of(file) if states is None else states
    changed = replace(header, **{"states": len(kept), **changes})
    write_certificate(file, changed, [np.ascontiguousarray(kept, "<u8").tobytes()])
