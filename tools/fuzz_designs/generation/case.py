"""A design and the scenario in which it is judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iopermit.system.scenario import Scenario


@dataclass(frozen=True)
class Case:
    """A design as source text, and a scenario."""

    source: str
    scenario: Scenario
    about: str
    """Where it comes from, in a few words."""

    @property
    def command(self) -> str:
        """The options of ``iopermit check`` that search this scenario."""
        scenario = self.scenario
        events = ",".join(sorted(e.name for e in scenario.events))
        sizes = f"--cpus {scenario.cpus} --tasks {scenario.tasks} --longs {scenario.longs}"
        beyond = "" if scenario.garbage else "  (beyond garbage)"
        return f"{sizes} --events {events}{beyond}"
