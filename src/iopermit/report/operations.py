"""Groups the atomic steps of a schedule into operations: system calls, context switches, ..."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.report.words import step_text
from iopermit.system.events import EVENTS, Event, Who
from iopermit.system.events.operations import Effect, calls

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iopermit.engine.trace import TraceStep

_FIRST: Final = frozenset(
    call.first
    for event in EVENTS.values()
    if event.operation is not None
    for call in calls(event.operation.body)
)
"""What steps are called that the kernel does before it calls a hook."""


@dataclass(eq=False)
class TracedOperation:
    """A system call, fault or VM exit of a task, or what a CPU does: switch, or come up again."""

    first: TraceStep
    """The step with which it starts, or the first one seen of it."""
    steps: list[TraceStep] = field(default_factory=list)

    @property
    def task(self) -> str:
        """Who executes it; for a switch, whom the CPU leaves."""
        return self.first.task

    @property
    def following(self) -> str:
        """For a switch, whom the CPU goes on with."""
        return self.first.following

    @property
    def is_switch(self) -> bool:
        """Whether it is a context switch."""
        return self.first.event == Event.SWITCH.name

    @property
    def text(self) -> str:
        """What starts it."""
        return step_text(self.first) if self.first.is_event else "return to user mode"

    @property
    def name(self) -> str:
        """The name of the kernel's function, such as ``ioperm()``."""
        event = EVENTS.get(self.first.event)
        if event is not None and event.operation is not None and Who.IDLE in event.who:
            return f"{next(calls(event.operation.body)).hook.name}()"
        return f"{self.text.partition('(')[0]}()"

    @property
    def error(self) -> str:
        """The name of the error that the call returned, or empty."""
        return next((step.error for step in self.steps if step.error), "")

    @property
    def child(self) -> int | None:
        """The slot of the task that it creates, if it creates one."""
        values = self.first.values
        creates = self.can(Effect.START_CHILD) and not values.get("fails")
        return int(values["child"]) if creates else None

    def can(self, effect: Effect) -> bool:
        """Return whether the event that starts it can have an effect."""
        return self.first.is_event and effect in EVENTS[self.first.event].effects

    def ended_by(self, step: TraceStep) -> bool:
        """Return whether `step` is the one with which the call returns or the next task runs.

        The first step starts the operation; of the others, only these execute no statement of
        the design, but for what the kernel does before it calls a hook.
        """
        around = (s for s in self.steps[1:] if s.source is None)
        return next((s for s in around if s.environment not in _FIRST), None) is step


def operations(trace: Sequence[TraceStep]) -> Iterator[tuple[TraceStep, TracedOperation]]:
    """Yield every step with the operation that it belongs to."""
    of_task: dict[str, TracedOperation] = {}
    switches: dict[int, TracedOperation] = {}
    for step in trace:
        if step.event == Event.SWITCH.name:
            operation = switches[step.cpu] = TracedOperation(step)
        elif step.is_event:
            operation = of_task[step.task] = TracedOperation(step)
        else:
            running = switches.get(step.cpu) or of_task.get(step.task)
            operation = running or TracedOperation(step)
            if not operation.is_switch:
                of_task.setdefault(step.task, operation)
        operation.steps.append(step)
        if operation.is_switch and operation.ended_by(step):
            del switches[step.cpu]
        yield step, operation
