"""What a patch is compared with: how the check of a tree without it ended, in a form to be kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from iopermit.kernel.search.faults import TreeFault

if TYPE_CHECKING:
    from iopermit.engine.trace import ViolationKind
    from iopermit.engine.verdict import VerdictValue
    from iopermit.kernel.check import Examined


@dataclass(frozen=True)
class TreeOutcome:
    """How the check of a tree ended.

    Attributes:
        verdict: the verdict.
        kind: the kind of the shortest violation, if there is one.
        message: what it is, or why there is no verdict.
        faults: all faults that were met.
    """

    verdict: VerdictValue
    kind: ViolationKind | None
    message: str
    faults: frozenset[TreeFault]

    @classmethod
    def of(cls, examined: Examined) -> Self:
        """Return how a check ended that gave a verdict and faults."""
        verdict, found = examined.verdict, examined.verdict.violation
        kind, message = (None, verdict.reason) if found is None else (found.kind, found.message)
        return cls(verdict.verdict, kind, message, examined.faults)

    def saved(self) -> bytes:
        """Return it as bytes that are the same for equal outcomes."""
        faults = sorted(fault.saved() for fault in self.faults)
        return json.dumps([self.verdict, self.kind, self.message, faults]).encode()

    @classmethod
    def from_saved(cls, saved: bytes) -> Self:
        """Return what `saved` returned."""
        verdict, kind, message, faults = json.loads(saved)
        return cls(verdict, kind, message, frozenset(map(TreeFault.from_saved, faults)))
