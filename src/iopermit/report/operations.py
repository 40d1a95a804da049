"""Groups the atomic steps of a schedule into operations: system calls, context switches, ..."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iopermit.engine.trace import TraceStep

_FAILED: Final = re.compile(r"return -(E[A-Z]+)\b")


@dataclass(eq=False)
class Operation:
    """A system call, fault or VM exit of a task, or a context switch of a CPU."""

    event: str
    task: str
    """Who executes it; for a switch, whom the CPU leaves."""
    text: str
    following: str = ""
    """For a switch, whom the CPU goes on with."""
    arguments: dict[str, int] = field(default_factory=dict)
    steps: list[TraceStep] = field(default_factory=list)

    @property
    def is_switch(self) -> bool:
        """Whether it is a context switch."""
        return self.event == "switch"

    @property
    def name(self) -> str:
        """The name of the kernel's function, such as ``ioperm()``."""
        return "switch_to()" if self.is_switch else f"{self.text.partition('(')[0]}()"

    @property
    def error(self) -> str:
        """The name of the error that the call returned, or empty."""
        told = next((step.error for step in self.steps if step.error), "")
        if told:
            return told
        sources = (step.source.text for step in self.steps if step.source is not None)
        returns = [text for text in sources if text.startswith("return")]
        failed = _FAILED.match(returns[-1]) if returns else None
        return failed[1] if failed else ""

    def ended_by(self, step: TraceStep) -> bool:
        """Return whether `step` is the one with which the call returns or the next task runs.

        The first step starts the operation; of the others, only these execute no statement of
        the design.
        """
        return next((s for s in self.steps[1:] if s.source is None), None) is step


def operations(trace: Sequence[TraceStep]) -> Iterator[tuple[TraceStep, Operation]]:
    """Yield every step with the operation that it belongs to."""
    of_task: dict[str, Operation] = {}
    switches: dict[int, Operation] = {}
    for step in trace:
        if step.event == "switch":
            task, _, following = step.task.partition(" to ")
            operation = Operation("switch", task, step.text, following, step.arguments)
            switches[step.cpu] = operation
        elif step.event != "step":
            operation = Operation(step.event, step.task, step.text, arguments=step.arguments)
            of_task[step.task] = operation
        else:
            running = switches.get(step.cpu) or of_task.get(step.task)
            operation = running or Operation("return", step.task, "return to user mode")
            of_task.setdefault(step.task, operation)
        operation.steps.append(step)
        if operation.is_switch and operation.ended_by(step):
            del switches[step.cpu]
        yield step, operation
