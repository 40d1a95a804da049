"""Schedules for tests of the reports: real designs, executed step by step at full size."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from iopermit.designs import find
from iopermit.engine.verdict import SearchStatistics, Verdict
from iopermit.search.counterexample.recorder import TraceRecorder
from iopermit.system.concretion import readable
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.execution import CONTINUE, Action, Mode
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.trace import TraceStep


class Recorder:
    """Executes a schedule of a design and records its steps."""

    def __init__(self, design: str, scenario: Scenario) -> None:
        self.design = find(design)
        self.scenario = scenario
        concretion = readable(self.design.layout, scenario.longs)
        self.recorder = TraceRecorder(self.design, scenario, concretion)

    @property
    def trace(self) -> list[TraceStep]:
        """The steps until now."""
        return self.recorder.trace

    def start(self, cpu: int, event: str, **arguments: int) -> None:
        """Let an event happen."""
        action = Action(cpu, event, tuple(arguments.items()))
        self.recorder.apply(action, len(self.trace) + 1)

    def step(self, cpu: int) -> None:
        """Execute one step of a CPU."""
        self.start(cpu, CONTINUE)

    def finish(self, cpu: int) -> None:
        """Execute the CPU's steps until it runs user code."""
        system = self.recorder.system
        processor = system.processors[cpu]
        while processor.switching or system.current(processor).mode is Mode.KERNEL:
            self.step(cpu)

    def run(self, cpu: int, event: str, **arguments: int) -> None:
        """Let an event happen and finish it."""
        self.start(cpu, event, **arguments)
        self.finish(cpu)

    def verdict(self, **changes: Any) -> Verdict:  # noqa: ANN401 - members of Verdict
        """Return the verdict that the specification gives now."""
        found = self.recorder.violation
        assert found is not None
        site = [step.source for step in self.trace if step.source][-1]
        verdict = Verdict(
            self.design.id,
            self.scenario,
            "violated",
            "",
            replace(found, needs_privilege=True, site=site),
            tuple(self.trace),
            SearchStatistics(
                3512,
                9001,
                len(self.trace),
                0.1,
                exhausted=False,
                confirmed_full_size=True,
                memory=1 << 20,
            ),
        )
        return replace(verdict, **changes)


def review_story() -> Verdict:
    """Return the leak that the review of patch V2 06/16 found."""
    recorder = Recorder("linux-v2-06", Scenario(1, 2, 2, PLAIN_EVENTS))
    recorder.run(0, "ioperm", first=0, end=2, turn_on=1)
    recorder.run(0, "switch", following=1)
    recorder.run(0, "ioperm", first=0, end=1, turn_on=1)
    return recorder.verdict()


def texts(lines: Sequence[Any]) -> str:
    """Return the lines of a report as one text."""
    return "\n".join(line.text for line in lines)
