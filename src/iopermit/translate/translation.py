"""Translates a design into a model: lowering, environment, liveness."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.analyses.assignment import unassigned
from iopermit.translate.analyses.blame import add_blame
from iopermit.translate.analyses.liveness import clear_dead_variables
from iopermit.translate.environment.build import build
from iopermit.translate.frontend.source import (
    DesignError,
    class_site,
    find_method,
    is_shipped,
    not_in_the_language,
)

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario
    from iopermit.translate.model.model import Model


def translate(design: type[Design], scenario: Scenario, *, blame: bool = False) -> Model:
    """Return ``design`` in its environment. Raises DesignError for what the language lacks.

    With ``blame`` each CPU remembers the design statement that last wrote what it consults, so
    that violations can be told apart by the statement that let them happen.
    """
    try:
        model = build(design, scenario)
    except (DesignError, MemoryError):
        raise
    except Exception as error:
        if is_shipped(design):
            raise
        raise not_in_the_language(class_site(design), error) from error
    _refuse_unassigned(design, model)
    clear_dead_variables(model)
    if blame:
        add_blame(model, model.consulted)
    return model


def _refuse_unassigned(design: type[Design], model: Model) -> None:
    """Raise DesignError for a variable, or a result, that may be read without a value."""
    found = unassigned(model)
    if found is None:
        return
    hook, _, _ = found.variable.name.partition(".")
    variable = found.variable.name.rpartition(".")[2].rstrip("'")
    if found.step.site is not None:
        message = f"the variable {variable!r} may have no value here"
        raise DesignError(
            found.step.site, message, f"{variable} = ... on every way that leads here"
        )
    method = find_method(design, hook)
    assert method is not None  # the environment reads what hooks return
    raise method.error(method.node, f"{hook}() may return no value", "return 0, or -EINVAL")
