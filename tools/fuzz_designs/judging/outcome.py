"""What is recorded about each random design, in a form that goes into a line of the ledger."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal[
    "verdict", "kinds", "reached", "states", "threads",
    "walk", "replay", "every", "certificate", "spin", "obligations", "internal",
]  # fmt: skip
"""What disagrees: the verdicts, the kinds of violations, the steps that were executed, the states
that were visited, one thread and two; the two readings, the replay at full size, the search
for every violation, the certificate, Spin; obligations that are not discharged; a traceback."""


@dataclass(frozen=True)
class Finding:
    """One disagreement."""

    kind: Kind
    configuration: str
    """The reductions with which it shows."""
    text: str
    """Who says what."""

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same while the design is shrunk."""
        return self.kind, self.configuration


@dataclass
class Outcome:
    """What the checkers say about one design."""

    index: int
    origin: str
    verdict: str = "refused"
    """Without reductions; ``refused``: no design of the language."""
    kinds: list[str] = field(default_factory=list)
    states: int = 0
    checks: list[str] = field(default_factory=list)
    """What was compared."""
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""
    """Why it was refused, or is undetermined."""

    def as_json(self) -> dict[str, Any]:
        """Return it as an object of JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Outcome:
        """Return what :meth:`as_json` made."""
        findings = [Finding(**each) for each in values["findings"]]
        return cls(**{**values, "findings": findings})
