"""Schedules for tests of the reports: real designs, executed step by step at full size."""

from __future__ import annotations

import linecache
from typing import TYPE_CHECKING, Any

from iopermit import arch
from iopermit.designs import find
from iopermit.engine.trace import TraceStep, TssState, Violation
from iopermit.engine.verdict import SearchStatistics, Verdict
from iopermit.system.concretion import readable
from iopermit.system.events.recorded import PLAIN_EVENTS
from iopermit.system.execution import Action, ExecutionContext, Mode
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System
from iopermit.system.site import Site
from iopermit.system.specification import finding
from iopermit.translate.stepping.generators import steps

if TYPE_CHECKING:
    from collections.abc import Sequence

BASES = {"VALID": "valid", "INVALID": "past limit", "ALL": "all ports", "LAZY": "lazy"}


class Recorder:
    """Executes a schedule of a design and records its steps."""

    def __init__(self, design: str, scenario: Scenario) -> None:
        self.design = find(design)
        self.scenario = scenario
        concretion = readable(self.design.layout, scenario.longs)
        self.system = System(self.design, scenario, concretion, stepper=steps)
        self.trace: list[TraceStep] = []

    def start(self, cpu: int, event: str, **arguments: int) -> None:
        """Let an event happen."""
        text = self._call(event, arguments)
        self._record(Action(cpu, event, tuple(arguments.items())), text, None, arguments)

    def step(self, cpu: int) -> None:
        """Execute one step of a CPU."""
        processor = self.system.processors[cpu]
        context: ExecutionContext = (
            processor if processor.switching else self.system.current(processor)
        )
        position = context.positions[-1]
        if not position.file:
            self._record(Action(cpu, "step"), position.function, None, {})
            return
        text = linecache.getline(position.file, position.line).strip()
        site = Site(position.file, position.line, position.column, text, position.function)
        if position.part is not None and ".bitmap." in text:
            text += self._bytes(position.part)
        self._record(Action(cpu, "step"), text, site, {})

    def finish(self, cpu: int) -> None:
        """Execute the CPU's steps until it runs user code."""
        while self.system.processors[cpu].switching or self._current(cpu).mode is Mode.KERNEL:
            self.step(cpu)

    def run(self, cpu: int, event: str, **arguments: int) -> None:
        """Let an event happen and finish it."""
        self.start(cpu, event, **arguments)
        self.finish(cpu)

    def verdict(self, **changes: Any) -> Verdict:  # noqa: ANN401 - members of Verdict
        """Return the verdict that the specification gives now."""
        found = finding(self.system)
        assert found is not None
        assert found.task is not None
        assert found.cpu is not None
        name = chr(ord("A") + found.task)
        ports = arch.format_ranges(found.ports)
        site = [step.source for step in self.trace if step.source][-1]
        violation = Violation(
            kind=found.kind,
            task=name,
            cpu=found.cpu,
            ports=found.ports,
            allowed=found.allowed,
            granted=found.granted,
            owner="A",
            message=f"task {name} may use ports {ports}, which only task A was granted",
            site=site,
            needs_privilege=True,
        )
        statistics = SearchStatistics(3512, 9001, len(self.trace), 0.1, False, True, 1 << 20)
        members: dict[str, Any] = {
            "subject": self.design.id,
            "scenario": self.scenario,
            "verdict": "violated",
            "reason": "",
            "violation": violation,
            "trace": tuple(self.trace),
            "search": statistics,
        }
        return Verdict(**(members | changes))

    def _current(self, cpu: int) -> Any:  # noqa: ANN401 - a Thread
        return self.system.current(self.system.processors[cpu])

    def _record(
        self, action: Action, text: str, site: Site | None, arguments: dict[str, int]
    ) -> None:
        task = self._current(action.cpu)
        processor = self.system.processors[action.cpu]
        following = processor.following
        name = self._name(task.index)
        if action.event == "switch":
            name += f" to {self._name(action['following'])}"
        elif following is not None:
            name += f" to {self._name(following.index)}"
        self.system.apply(action)
        number = len(self.trace) + 1
        event, tss = action.event, self._tss()
        step = TraceStep(number, action.cpu, name, event, arguments, text, site, tss, number)
        self.trace.append(step)

    def _name(self, number: int) -> str:
        return chr(ord("A") + number) if number < self.scenario.tasks else "idle"

    def _call(self, event: str, arguments: dict[str, int]) -> str:
        if event == "ioperm":
            ports = self.system.concretion.ports_of(arguments["first"], arguments["end"])
            return f"ioperm({ports.first}, {ports.count}, {arguments['turn_on']})"
        if event == "iopl":
            return f"iopl({arguments['level']})"
        return "switch_to()" if event == "switch" else f"{event}()"

    def _bytes(self, part: int) -> str:
        geometry = self.system.geometry
        low, high = geometry.boundaries[part : part + 2]
        size = geometry.long_bits // 8
        return f"  [bytes {low * size}-{high * size - 1} of {geometry.real_longs * size}]"

    def _tss(self) -> tuple[TssState, ...]:
        return tuple(
            TssState(
                BASES[p.tss.io_map_base.name],
                tuple(arch.as_ranges(p.tss.bitmap.allowed())),
                p.record.tr_limit_low,
            )
            for p in self.system.processors
        )


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
