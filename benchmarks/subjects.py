"""What is measured: a design in a scenario, as an exploration, a command line and Promela."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.designs import find
from iopermit.engine.control import Control
from iopermit.engine.limits import Limits
from iopermit.search.compilation import compiled, translated
from iopermit.search.exploration.native import NativeFunctions
from iopermit.search.problem import Problem, Settings
from iopermit.search.refinement import explored
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS, PLAIN_EVENTS
from iopermit.translate.analyses.reductions import NO_REDUCTIONS, Reductions
from iopermit.translate.model.initial_state import initial_values
from iopermit.translate.promela.export import export
from iopermit.translate.translation import translate

if TYPE_CHECKING:
    from iopermit.search.exploration.design_search import DesignSearchResult
    from iopermit.system.scenario import Scenario

UNREDUCED = NO_REDUCTIONS
"""Every reduction off."""
UNREDUCED_OPTIONS = (
    "--no-symmetry",
    "--no-merging",
    "--no-counter-renaming",
    "--no-dead-fields",
    "--no-late-arguments",
    "--no-hidden-maps",
)
"""The same on the command line."""
_LIMITS: Final = Limits(max_memory=8 << 30)

_IOPERMIT: Final = (
    sys.executable,
    "-c",
    "import sys; from iopermit.cli import main; sys.exit(main())",
)
"""What the script `iopermit` does."""


@dataclass(frozen=True)
class Subject:
    """A design in a scenario."""

    design: str
    scenario: Scenario

    @property
    def bounds(self) -> tuple[int, int, int]:
        """Number of CPUs, tasks and longs."""
        return self.scenario.cpus, self.scenario.tasks, self.scenario.longs

    @property
    def events(self) -> str:
        """What events there are, in words."""
        known = {
            ALL_EVENTS: "all",
            PLAIN_EVENTS: "plain",
            PLAIN_EVENTS - {Event.PREEMPT}: "plain-without-preempt",
        }
        return known.get(self.scenario.events) or event_list(self.scenario.events)

    def __str__(self) -> str:
        """Return the name of the row of a table."""
        return f"{self.design} {'/'.join(map(str, self.bounds))} {self.events}"

    def promela(self) -> str:
        """Return the model for Spin."""
        design = find(self.design)
        model = translate(design, self.scenario)
        return export(model, initial_values(self.scenario, model))

    def explore(self, reductions: Reductions, threads: int = 1) -> tuple[DesignSearchResult, float]:
        """Visit every state in this process; return the result and the processor seconds.

        Neither these nor the `seconds` of the result include compilation.
        """
        settings = Settings(reductions, threads, exhaustive=True, optimised=True)
        source = translated(Problem(find(self.design), self.scenario, settings))
        functions, control = NativeFunctions(compiled(source, ())), Control(_LIMITS)
        before = time.process_time()
        result = explored(source, functions, control)
        cpu_seconds = time.process_time() - before
        if not result.exhausted:
            message = f"{self}: {result.ending.reason if result.ending else 'not exhausted'}"
            raise RuntimeError(message)
        return result, cpu_seconds

    def command(self, *options: str) -> list[str]:
        """Return the command line that checks this design in this scenario."""
        return [*_IOPERMIT, *self.arguments(), *options]

    def arguments(self) -> list[str]:
        """Return the same without the program, which may be that of another revision."""
        cpus, tasks, longs = map(str, self.bounds)
        bounds = ["--cpus", cpus, "--tasks", tasks, "--longs", longs]
        events = ["--events", event_list(self.scenario.events)]
        return ["check", self.design, *bounds, *events, "--json"]


def check_command(design: str) -> list[str]:
    """Return the start of a command line that checks a design, as the script `iopermit` does."""
    return [*_IOPERMIT, "check", design]


def event_list(events: frozenset[Event]) -> str:
    """Return events as an argument of the command line."""
    return ",".join(sorted(event.name for event in events))
