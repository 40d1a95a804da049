"""Which local variables may still be read: the others are no part of the state.

Two states that differ only in variables that no step reads before it writes them behave alike, so
the checker gives such variables the value 0 in every state, on both sides of every comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.certify.state import FIRST_POINT, Column

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iopermit.certify.language.steps import Step


def live_variables(steps: Mapping[int, Step]) -> dict[int, frozenset[Column]]:
    """Return for every point the variables that may be read from there on."""
    nothing: frozenset[Column] = frozenset()
    live = dict.fromkeys([*range(FIRST_POINT), *steps], nothing)
    changed = True
    while changed:
        changed = False
        for number, step in reversed(list(steps.items())):
            *others, last = (live[p.final.number] for p in step.following)
            after = nothing.union(*others, last - step.last_writes)
            now = step.reads | (after - step.writes)
            if now != live[number]:
                live[number], changed = frozenset(now), True
    return live
