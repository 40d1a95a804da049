"""What is to be searched: a design in a scenario, how, and with what goes along."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from iopermit.engine.control import Control
from iopermit.translate.analyses.reductions import Reductions
from iopermit.translate.model.nodes import VIOLATIONS

if TYPE_CHECKING:
    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario


@dataclass(frozen=True)
class Settings:
    """How to search."""

    reductions: Reductions = field(default_factory=Reductions)
    threads: int = 1
    every: bool = False
    """Whether to go on to every different violation, told apart by the statement to blame."""
    exhaustive: bool = False
    """Whether to go on after a violation all the same, to visit every state."""
    optimised: bool | None = None
    """Whether to optimise machine code; None: unless searching takes less time than that."""
    kept: bool = True
    """Whether to keep the machine code for later searches."""

    @property
    def stop(self) -> bool:
        """Whether the search ends with the first violation."""
        return not (self.every or self.exhaustive)


@dataclass(frozen=True)
class Problem:
    """One scenario of one design, to be searched."""

    design: type[Design]
    scenario: Scenario
    settings: Settings = field(default_factory=Settings)
    control: Control = field(default_factory=Control)
    goals: frozenset[str] = VIOLATIONS
    """The kinds of violations that count."""
