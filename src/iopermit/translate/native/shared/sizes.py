"""How large the arrays are that native code writes for the search."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.analyses.late_arguments import LateArguments

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model


def max_successors(model: Model) -> int:
    """Return an upper bound for the successors of one state.

    An allocation can also fail, and an open ioperm() call gets each range in turn.
    """
    variants = 2 * max(1, len(LateArguments(model).values))
    choices = max((s.choices for s in model.steps.values()), default=1)
    rules = max(len(model.user_rules), len(model.thread_rules)) + len(model.switch_rules)
    return variants * model.counts["cpu"] * (choices + rules)
