"""What is true in every state, as terms of the solver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.obligations.execution import (
    Context,
    Execution,
    SymbolicState,
    Variables,
    term,
)
from iopermit.translate.obligations.values import Truth, alike, truth

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.translate.model.model import Model
    from iopermit.translate.model.nodes import Expr
    from iopermit.translate.obligations.execution import Place


class Facts:
    """Expressions that are true in every state; their terms are made once for all states."""

    def __init__(self, model: Model, expressions: list[Expr]) -> None:
        """Make the terms; the expressions name every slot that they mean."""
        self.expressions = expressions
        self._variables = Variables({})
        on, state = Execution(model, Context(0, 0, "any")), SymbolicState(self._variables)
        self._terms = [truth(on.value(each, state)) for each in expressions]

    def where(self, fixed: Mapping[Place, int]) -> list[Truth]:
        """Return the facts for states in which some places have known values."""
        known = [alike(term(*place)[0], value) for place, value in fixed.items()]
        return [*self._terms, *self._variables.ranges, *known]
