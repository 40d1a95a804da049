"""Explores all states of a design with every reduction off: the search as other checkers see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.designs import find
from iopermit.engine.limits import Limits
from iopermit.search.explore import Exploration, Explorer
from iopermit.search.native import Native, initial_state
from iopermit.translate.analyses.reductions import NO_REDUCTIONS
from iopermit.translate.model.initial_state import InitialValues, initial_values
from iopermit.translate.native.jit import compile_model
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from iopermit.system.scenario import Scenario
    from iopermit.translate.model.model import Model

PLAIN = NO_REDUCTIONS
"""Every reduction off."""


@dataclass(frozen=True)
class Subject:
    """A design in a scenario, translated."""

    model: Model
    initial: InitialValues


def subject(design_id: str, scenario: Scenario) -> Subject:
    """Translate a design."""
    design = find(design_id)
    model = translate(design, scenario)
    return Subject(model, initial_values(design, scenario, model))


def explore(of: Subject) -> Exploration:
    """Visit every state; go on after violations."""
    compiled = compile_model(of.model, PLAIN)
    explorer = Explorer(compiled, Limits(max_states=3_000_000))
    result = explorer.run(initial_state(Native(compiled), of.initial), stop=False)
    assert result.exhausted, result.reason
    return result
