"""Numbers that native code and the search share: labels of transitions, results of `expand`."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model, Rule

CPU_SHIFT: Final = 16
_KIND_SHIFT: Final = 12
RULES_OF_A_KIND: Final = 1 << _KIND_SHIFT
"""How many rules of one kind, and outcomes of a step, a label can tell apart."""

VERDICT_SPAN: Final = 8
"""What ``expand`` returns for a violating state is -(verdict + VERDICT_SPAN * statement)."""


class TransitionKind(enum.IntEnum):
    """What a transition executes: the step that a CPU is at, or a rule of the model."""

    STEP = 0
    USER_RULE = 1
    THREAD_RULE = 2
    SWITCH_RULE = 3


RULE_KINDS: Final = (
    TransitionKind.USER_RULE,
    TransitionKind.THREAD_RULE,
    TransitionKind.SWITCH_RULE,
)


class TransitionLabel(NamedTuple):
    """Which transition it is: the CPU, the kind, and the number of the rule or the outcome."""

    cpu: int
    kind: TransitionKind
    number: int

    @property
    def encoded(self) -> int:
        """The label as native code writes it."""
        return self.cpu << CPU_SHIFT | self.kind << _KIND_SHIFT | self.number

    @classmethod
    def decode(cls, label: int) -> TransitionLabel:
        """Return what a label of native code says."""
        kind, number = divmod(label & (1 << CPU_SHIFT) - 1, RULES_OF_A_KIND)
        return cls(label >> CPU_SHIFT, TransitionKind(kind), number)


def rules_of(model: Model, kind: TransitionKind) -> list[Rule]:
    """Return the rules of a kind, by number; a step is none."""
    return {
        TransitionKind.STEP: [],
        TransitionKind.USER_RULE: model.user_rules,
        TransitionKind.THREAD_RULE: model.thread_rules,
        TransitionKind.SWITCH_RULE: model.switch_rules,
    }[kind]
