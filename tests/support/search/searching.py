"""Searches of designs for tests, with every state visited or up to the first violation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iopermit.designs import find
from iopermit.search.compilation import Translated, translated
from iopermit.search.problem import Problem, Settings
from iopermit.search.refinement import Searched, searched
from iopermit.translate.analyses.reductions import NO_REDUCTIONS

if TYPE_CHECKING:
    from iopermit.search.exploration.design_search import DesignSearchResult
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario

PLAIN = NO_REDUCTIONS
"""Every reduction off: the search as other checkers see it."""


def search_of(design: str | type[Design], scenario: Scenario, **settings: Any) -> Searched:  # noqa: ANN401 - members of Settings
    """Search a design in a scenario, up to the first violation unless the settings say more."""
    found = find(design) if isinstance(design, str) else design
    return searched(translated(Problem(found, scenario, Settings(**settings))))


def subject(design: str, scenario: Scenario) -> Translated:
    """Translate a design for a search with every reduction off, of every state."""
    settings = Settings(PLAIN, exhaustive=True, optimised=True)
    return translated(Problem(find(design), scenario, settings))


def explore(of: Translated) -> DesignSearchResult:
    """Visit every state; go on after violations."""
    result = searched(of).result
    assert result.exhausted, result.ending
    return result
