"""Where the bytes lie by which native code tells what was executed, and which assumptions broke."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import FIRST_STEP
from iopermit.translate.native.shared.labels import RULES_OF_A_KIND, TransitionKind

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model


@dataclass(frozen=True)
class CoverageLayout:
    """The positions in the coverage bytes of a model: steps, rules, a grant, the assumptions."""

    steps: int
    assumptions: int

    @classmethod
    def of(cls, model: Model, assumptions: int) -> CoverageLayout:
        """Return the layout for a model and a number of assumptions."""
        return cls(len(model.steps), assumptions)

    @staticmethod
    def step(pc: int) -> int:
        """Return the position of a step."""
        return pc

    def rule(self, kind: TransitionKind, number: int) -> int:
        """Return the position of a rule."""
        return FIRST_STEP + self.steps + kind * RULES_OF_A_KIND + number

    @property
    def grant(self) -> int:
        """The position that tells whether any task was ever granted a port."""
        return FIRST_STEP + self.steps + len(TransitionKind) * RULES_OF_A_KIND

    def assumption(self, number: int) -> int:
        """Return the position of an assumption; they follow one another to the end."""
        return self.grant + 1 + number

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.assumption(self.assumptions)
