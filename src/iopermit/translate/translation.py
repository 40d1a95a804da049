"""Translates a design into a model: lowering, environment, liveness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.analyses.blame import add_blame
from iopermit.translate.analyses.liveness import clear_dead_variables
from iopermit.translate.environment.build import build

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario
    from iopermit.translate.model.model import Model


def translate(design: type[Design], scenario: Scenario, *, blame: bool = False) -> Model:
    """Return ``design`` in its environment. Raises DesignError for what the language lacks.

    With ``blame`` each CPU remembers the design statement that last wrote what it consults, so
    that violations can be told apart by the statement that let them happen.
    """
    model = build(design, scenario)
    clear_dead_variables(model)
    if blame:
        add_blame(model, model.consulted)
    return model
