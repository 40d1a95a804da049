"""Follows a schedule step by step: who is on which CPU, in which mode, with which ports granted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from iopermit.report.grants import GrantHistory, request_of
from iopermit.report.operations import operations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iopermit.engine.trace import TraceStep, Violation
    from iopermit.report.operations import TracedOperation

IDLE: Final = "idle"
USER_MODE: Final = "user mode"


@dataclass
class Followed:
    """What is known after a step of a schedule."""

    grants: GrantHistory = field(default_factory=GrantHistory)
    once: dict[str, int] = field(default_factory=dict)
    """The ports that each task was granted at any time."""
    on_cpu: dict[int, str] = field(default_factory=dict)
    """The task of each CPU; during a switch the following one."""
    leaving: dict[int, str] = field(default_factory=dict)
    """During a switch, the task that the CPU leaves."""
    calls: dict[str, TracedOperation] = field(default_factory=dict)
    """What each task does, or did last."""
    in_kernel: frozenset[str] = frozenset()
    """The tasks that execute kernel code, or did when they were preempted."""

    def mode(self, cpu: int) -> str:
        """Return what a CPU executes."""
        task = self.on_cpu[cpu]
        if cpu in self.leaving:
            return f"kernel, switching from {self.leaving[cpu]}"
        if task == IDLE:
            return "nothing to do"
        if task not in self.in_kernel:
            return USER_MODE
        call = self.calls.get(task)
        return "kernel" if call is None else f"kernel, {call.name}"

    def asked(self, task: str) -> int:
        """Return the ports that a call, not yet ended, is about to grant a task."""
        call = self.calls.get(task)
        request = None if call is None or task not in self.in_kernel else request_of(call)
        return request.ports if request is not None and request.turn_on else 0

    def owner(self, ports: int, task: str) -> str:
        """Return whose ports they are that a task was not granted: another's, or once its own.

        Returns:
            The first task that was granted all of them now, or else at any time; empty if none.
        """
        now = self.grants.owners(ports, task)
        if now:
            return now[0]
        had = (one for one, ever in sorted(self.once.items()) if not ports & ~ever)
        return next(had, "")


def followed(
    trace: Sequence[TraceStep], inside: frozenset[str]
) -> Iterator[tuple[TraceStep, TracedOperation, Followed]]:
    """Yield every step with its operation, and what is known after it; the same object each time.

    Args:
        trace: the schedule.
        inside: the tasks that are in the kernel after the last step.
    """
    pairs = list(operations(trace))
    modes = _tasks_in_kernel(pairs, inside)
    state = Followed()
    for step, _ in pairs:
        state.on_cpu.setdefault(step.cpu, step.task)
    for (step, operation), state.in_kernel in zip(pairs, modes, strict=True):
        if operation.is_switch:
            _switch(state, step, operation)
        else:
            state.on_cpu[step.cpu] = step.task
            state.calls[step.task] = operation
        if operation.ended_by(step):
            state.grants.finish(operation)
            for task in state.grants.ports.keys() | state.grants.iopl.keys():
                state.once[task] = state.once.get(task, 0) | state.grants.of(task)
        yield step, operation, state


def _switch(state: Followed, step: TraceStep, operation: TracedOperation) -> None:
    state.on_cpu[step.cpu] = operation.following
    state.leaving[step.cpu] = operation.task
    if operation.ended_by(step):
        del state.leaving[step.cpu]


def _tasks_in_kernel(
    pairs: Sequence[tuple[TraceStep, TracedOperation]], last: frozenset[str]
) -> list[frozenset[str]]:
    """Return after each step the tasks in the kernel: those that next go on with what they do."""
    inside, found = set(last), list[frozenset[str]]()
    for step, operation in reversed(pairs):
        found.append(frozenset(inside))
        if not operation.is_switch:
            (inside.discard if step.is_event else inside.add)(step.task)
    return found[::-1]


def tasks_in_kernel(trace: Sequence[TraceStep], violation: Violation) -> frozenset[str]:
    """Return the tasks that are in the kernel after the last step, which shows a violation."""
    last = {s.task: (s, operation) for s, operation in operations(trace) if not operation.is_switch}
    inside = {task for task, (step, call) in last.items() if not _left(step, call)}
    if violation.kind == "crash":
        inside.add(violation.task)
    elif violation.kind in ("leak", "loss"):
        inside.discard(violation.task)
    return frozenset(inside)


def _left(step: TraceStep, operation: TracedOperation) -> bool:
    """Return whether a task is in user mode after its last step.

    The code at the exit to user mode has no step for its end. Where a task's last step is one of
    it, it has come to its end: nothing preempts it, and a schedule ends where a step is decisive.
    """
    return step.source is None or any(operation.ended_by(each) for each in operation.steps)
