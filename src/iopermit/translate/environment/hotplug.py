"""CPU hotplug: an idle CPU goes down and comes up again, as rules, and the steps of bring-up.

A CPU that is down does nothing, as one that idles, so both are one event. The steps are in
the context of the CPU, which switches from its idle task to itself meanwhile: by that alone a CPU
that comes up can be told from one that switches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.system.events import Who, events_of
from iopermit.system.events.operations import calls
from iopermit.translate.environment.effects import effect
from iopermit.translate.environment.events import possible
from iopermit.translate.frontend.types import pointer
from iopermit.translate.model.builder import binary, const, equal, every
from iopermit.translate.model.model import Rule, Step
from iopermit.translate.model.nodes import CPU, FREE, Const, Goto, Load, Stmt, Store

if TYPE_CHECKING:
    from iopermit.system.events import Event
    from iopermit.system.events.arguments import Choice
    from iopermit.system.events.operations import Call
    from iopermit.translate.environment.builder import EnvironmentBuilder
    from iopermit.translate.frontend.step_builder import Label


class CpuHotplug:
    """Adds to an environment what CPUs can do that idle."""

    def __init__(self, builder: EnvironmentBuilder) -> None:
        """Add to ``builder``."""
        self.builder = builder
        scenario = builder.scenario
        possible = scenario.cpus > 1 and builder.design.cpu_hotplug
        self.events = events_of(Who.IDLE, scenario.events, builder.has_hook) if possible else []

    def add_steps(self) -> dict[str, Label]:
        """Add the steps of each event that has some; return the label of the first by its name."""
        entries = {}
        for event in self.events:
            assert event.operation is not None
            for call in calls(event.operation.body):
                if self.builder.has_hook(call.hook.name):
                    entries[event.name] = self._call(call)
        return entries

    def _call(self, call: Call) -> Label:
        """Add a hook that takes the CPU, and the step in which it returns."""
        steps, end = self.builder.steps, self.builder.steps.label()
        body = (Store(self.builder.following, CPU, const(0)), Goto(FREE))
        steps.lowered.steps[end] = Step(end, "cpu", None, body, call.returns, preemption_off=True)
        entry, after = self.builder.lowering.hook(
            call.hook.name,
            {"cpu": pointer("cpu", CPU)},
            record="cpu",
            off=not call.hook.preemptible,
            result=None,
        )
        steps.alias(after, end)
        return entry

    def rules(self, entries: dict[str, int]) -> list[Rule]:
        """Return a rule for each choice of arguments, given the final numbers of first steps."""
        return [
            self._rule(event, choice, entries.get(event.name, 0))
            for event in self.events
            for choice in event.choices(self.builder.scenario)
        ]

    def _rule(self, event: Event, choice: Choice, entry: int) -> Rule:
        assert event.operation is not None
        operands = {name: const(value) for name, value in choice.items()}
        body: list[Stmt] = []
        for each in event.operation.at_once:
            body += effect(self.builder, each, operands)
        if entry:
            body += [
                Store(self.builder.following, CPU, Load(self.builder.current, CPU)),
                Store(self.builder.cpu_pc, CPU, const(entry)),
            ]
        own = binary("add", CPU, Const(self.builder.scenario.tasks + 1))
        idle = equal(Load(self.builder.current, CPU), own)
        guard = every(idle, possible(self.builder, event, choice))
        return Rule(event.name, guard, tuple(body), tuple(choice.items()), entry)
