"""Tests of iopermit.search.refinement: assumptions that turn out wrong are given up."""

from __future__ import annotations

from tests.support.search.searching import search_of

from iopermit.designs import find
from iopermit.engine.control import Control
from iopermit.engine.ending import StateLimit
from iopermit.engine.limits import Limits
from iopermit.search.compilation import translated
from iopermit.search.problem import Problem, Settings
from iopermit.search.refinement import broken_assumptions, searched
from iopermit.system.events import Event
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.assumptions import assumptions

REPEATED = "linux-2.6.8"
"""A map of it is reclaimed, which the first search assumes not to happen."""
FAMILY = Scenario(1, 2, 1, PLAIN_EVENTS - {Event.PREEMPT})


def test_no_wrong_assumption_is_left() -> None:
    """The last search assumes less than the first, and nothing that it assumes was wrong."""
    search = search_of(REPEATED, FAMILY)
    first = assumptions(search.source.model)
    assert search.result.exhausted
    assert set(search.functions.compiled.assumed) < set(first)
    assert not broken_assumptions(search.functions.compiled, search.result)


def test_where_no_assumption_is_wrong_the_first_search_is_the_last() -> None:
    """Assumptions that hold are those of the only search."""
    search = search_of("linux-5.4", FAMILY)
    assert search.functions.compiled.assumed == assumptions(search.source.model)


def test_a_limit_ends_the_repetitions_too() -> None:
    """A search that reached a limit is not repeated without its wrong assumptions."""
    problem = Problem(find(REPEATED), FAMILY, Settings(), Control(Limits(max_states=20)))
    search = searched(translated(problem))
    assert search.result.ending == StateLimit(20)
    assert search.functions.compiled.assumed == assumptions(search.source.model)
