"""Asks the solver about several claims at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import z3

from iopermit.translate.obligations.values import Truth, disjunction

if TYPE_CHECKING:
    from collections.abc import Sequence


def first_possible(solver: z3.Solver, claims: Sequence[tuple[str, Truth]]) -> str:
    """Return the name of the first claim that is possible, or that the solver cannot decide.

    Nearly always none is: so all are asked about together first.

    Args:
        solver: has what is known.
        claims: what must be impossible, with names.
    """
    if solver.check(disjunction(*(formula for _, formula in claims))) == z3.unsat:
        return ""
    for what, formula in claims:
        if solver.check(formula) != z3.unsat:
            return what
    # The solver gave up on all of them together only.
    return ""
