"""A counterexample as steps that can be forced on a booted kernel, and the guest's commands."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from iopermit.report.timeline import timeline
from iopermit.reproduce.errors import UnforcedError
from iopermit.reproduce.guest.commands import (
    MOST_COMMANDS,
    MOST_TASKS,
    GuestCommand,
    GuestTask,
)
from iopermit.reproduce.left_state import LeftState, left_state
from iopermit.system.events import Event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.engine.trace import SelectedMap, TraceStep, Violation
    from iopermit.report.timeline import TimelineRow


class Forcing(enum.StrEnum):
    """How a step is forced. The value says it in words."""

    CALL = "the guest's task makes the call"
    HOLD = "the guest's task makes the call, and the debugger holds it until it is preempted"
    TURN = "the next task waits for its turn, or for a timer, in a real-time class"
    MOVE = "task H, in place of the idle task, moves the other one (sched_setaffinity)"
    ITSELF = "it follows from the steps before"


_CALLS: Final = {
    Event.IOPERM.name: "ioperm",
    Event.IOPL.name: "iopl",
    Event.IOPL_LEVELS.name: "iopl",
    Event.FORK.name: "fork",
    Event.FORK_FAILS.name: "fork-fails",
    Event.DROP_PRIVILEGE.name: "drop",
    Event.EXIT.name: "exit",
}
"""Events that are calls, with the guest's command that makes the call."""
_PREEMPTIBLE: Final = ("ioperm", "iopl")
"""Calls whose entry the debugger can tell from that of others, by their arguments."""
_WITHOUT_PRIVILEGE: Final = {"in", "exit"}
"""Commands that are the same for a task without any capability."""
_UNFORCED: Final = {
    Event.EXEC.name: "the guest's program cannot go on in another one",
    Event.IO_THREAD.name: "no call of the guest makes such a thread of the kernel",
    Event.FORK_FAILS_EARLY.name: "user space cannot make fork() fail there",
    Event.VM_EXIT.name: "it needs a virtual machine in the virtual machine",
    Event.READ_MAP.name: "the guest has no command for ptrace()",
    Event.FAULT.name: "the guest has no command for a refused access in between",
    Event.CPU_OFFLINE.name: "the guest has no command that takes a CPU down",
}
"""Events that nothing of what the guest and the debugger do can bring about, and why."""

PREEMPTED_AFTER: Final = 60
"""Milliseconds of the timer that has a task preempted; it has to get to that point before."""
HELPER: Final = "H"
"""A task of the guest that runs in place of an idle one, and moves others."""
IDLE: Final = "idle"
"""How schedules name the task of an idle CPU."""


@dataclass(frozen=True)
class ForcedStep:
    """A line of the table of a counterexample, and how it is forced."""

    number: int
    row: TimelineRow
    forcing: Forcing
    command: int | None = None
    """The guest's command, if the step is the call that it makes."""
    state: LeftState | None = None
    """For a call that is preempted: what it has left by then."""

    @property
    def task(self) -> str:
        """Who executes it; for a switch, whom the CPU leaves."""
        return self.row.operation.task

    @property
    def following(self) -> str:
        """For a switch, whom the CPU goes on with."""
        return self.row.operation.following

    @property
    def base(self) -> SelectedMap:
        """What the I/O map base selects after the step, by the counterexample."""
        return self.row.steps[-1].after.io_map_base


@dataclass
class Schedule:
    """A counterexample, ready to be forced."""

    violation: Violation
    steps: list[ForcedStep] = field(default_factory=list)
    commands: list[GuestCommand] = field(default_factory=list)
    tasks: dict[str, GuestTask] = field(default_factory=dict)
    cpus: int = 1

    @property
    def preempted(self) -> ForcedStep | None:
        """The step in which a task is preempted in the kernel, if there is one."""
        return next((step for step in self.steps if step.state is not None), None)

    @property
    def crashes(self) -> bool:
        """Whether it ends in a crash of the kernel, which is seen on the console alone."""
        return self.violation.kind == "crash"

    @property
    def judged(self) -> int:
        """The command of the task that is judged: it reads the harmless ports."""
        return len(self.commands) - 1


def schedule_of(trace: Sequence[TraceStep], violation: Violation) -> Schedule:
    """Return a counterexample as steps to force.

    Raises:
        UnforcedError: a step cannot be forced, the fault cannot be judged, or no schedule shows it.
    """
    _require_judgeable(violation)
    if not any(step.is_event for step in trace):
        raise UnforcedError(None, "single calls show the fault, and no schedule of events")
    return _ScheduleBuilder(trace, violation).build()


def _require_judgeable(violation: Violation) -> None:
    if violation.kind not in ("leak", "loss", "crash") or violation.without_privilege:
        kind = "a gain without privilege" if violation.without_privilege else violation.kind
        raise UnforcedError(None, f"the debugger and the guest cannot see {kind}")


class _ScheduleBuilder:
    def __init__(self, trace: Sequence[TraceStep], violation: Violation) -> None:
        self.rows = timeline(trace)
        self.schedule = Schedule(violation, cpus=max(row.cpu for row in self.rows) + 1)
        self.preempted: str = ""
        """The task that was preempted in the kernel, as long as it is."""
        self.timed = False
        """Whether the next command is woken by a timer: nothing else could preempt the task."""
        self.last: dict[str, int] = {}
        """The last command of each task."""
        self.home: dict[str, int] = {}
        """The CPU of each task."""
        self.armed_at = self._before_preemption()

    def build(self) -> Schedule:
        self._add_tasks()
        for number, row in enumerate(self.rows, 1):
            self.schedule.steps.append(self._step(number, row))
        if self.schedule.crashes and self.schedule.preempted is not None:
            reason = "no task is held where the fault is a crash"
            raise UnforcedError(self.schedule.preempted.number, reason)
        self._command("in", self.schedule.violation.task)
        if len(self.schedule.commands) > MOST_COMMANDS or len(self.schedule.tasks) > MOST_TASKS:
            raise UnforcedError(None, f"it has more than {MOST_COMMANDS} calls, or too many tasks")
        self._drop_privileges()
        return self.schedule

    def _before_preemption(self) -> TimelineRow | None:
        """Return the first of the calls in a row, the last of which is preempted.

        The timer is set before it, so that nothing comes in between them.
        """
        first = None
        for row in self.rows:
            same = first is not None and row.operation.task == first.operation.task
            if row.operation.is_switch or not row.operation.first.is_event:
                first = None
            elif not same:
                first = row
            if row.preempted:
                return first
        return None

    def _add_tasks(self) -> None:
        for row in self.rows:
            for name in (row.operation.task, row.operation.following):
                if name and name != IDLE and name not in self.home:
                    self.home[name] = row.cpu
                    self.schedule.tasks[name] = GuestTask(name, row.cpu)

    def _drop_privileges(self) -> None:
        """Let a task be without privilege if it makes no call: it needs none, and shows more."""
        for name, task in self.schedule.tasks.items():
            made = {each.what for each in self.schedule.commands if each.task == name}
            if made <= _WITHOUT_PRIVILEGE:
                self.schedule.tasks[name] = replace(task, privileged=False)

    def _step(self, number: int, row: TimelineRow) -> ForcedStep:
        operation, event = row.operation, row.operation.first.event
        starts = row.steps[0] is operation.steps[0]
        if operation.is_switch:
            return self._switch(number, row)
        if not starts or not operation.first.is_event:
            self.preempted = "" if row.returns else self.preempted
            return ForcedStep(number, row, Forcing.ITSELF)
        if event not in _CALLS:
            raise UnforcedError(number, _UNFORCED.get(event, f"nothing forces {event}"))
        if row is self.armed_at:
            self._command("arm", row.operation.task, (PREEMPTED_AFTER,))
        command = self._call(number, row)
        if row.preempted:
            return self._preempted_call(number, row, command)
        return ForcedStep(number, row, Forcing.CALL, command)

    def _call(self, number: int, row: TimelineRow) -> int:
        values = row.operation.first.values
        arguments: tuple[int, ...] = ()
        if row.operation.error == "ENOMEM":
            raise UnforcedError(number, "user space cannot make an allocation fail")
        match _CALLS[row.operation.first.event]:
            case "ioperm":
                ports = values["ports"]
                arguments = (ports.first, ports.count, int(values["turn_on"]))
            case "iopl":
                arguments = (values["level"],)
            case "fork":
                child = row.operation.child
                names = list(self.schedule.tasks)
                letter = "" if child is None else chr(ord("A") + child)
                # A child that never runs needs no command, but its task has to be there.
                if letter not in names:
                    self.schedule.tasks[letter] = GuestTask(letter, row.cpu)
                    names.append(letter)
                arguments = (names.index(letter),)
        return self._command(_CALLS[row.operation.first.event], row.operation.task, arguments)

    def _preempted_call(self, number: int, row: TimelineRow, command: int) -> ForcedStep:
        if self.schedule.preempted is not None:
            raise UnforcedError(number, "a second task would have to be held")
        if self.schedule.commands[command].what not in _PREEMPTIBLE:
            raise UnforcedError(number, "only ioperm() and iopl() can be held in the middle")
        state, statement = left_state(row.steps)
        if state is None:
            what = f"what “{statement}” stores" if statement else "the point of the preemption"
            raise UnforcedError(number, f"the debugger cannot see {what}")
        self.preempted, self.timed = row.operation.task, True
        return ForcedStep(number, row, Forcing.HOLD, command, state)

    def _switch(self, number: int, row: TimelineRow) -> ForcedStep:
        following = row.operation.following
        if self.preempted and following == IDLE and self.schedule.cpus == 1:
            raise UnforcedError(number, "a CPU does not go idle while a task can run")
        if following != IDLE and self.home[following] != row.cpu:
            self._move(following, row.cpu)
            return ForcedStep(number, row, Forcing.MOVE)
        return ForcedStep(number, row, Forcing.TURN)

    def _move(self, task: str, cpu: int) -> None:
        if HELPER not in self.schedule.tasks:
            self.schedule.tasks[HELPER] = GuestTask(HELPER, 0)
        index = list(self.schedule.tasks).index(task)
        after = None if self.preempted == task else self.last.get(task)
        self._command("move", HELPER, (index, cpu), after=after)
        self.home[task] = cpu

    def _command(
        self, what: str, task: str, arguments: tuple[int, ...] = (), *, after: int | None = None
    ) -> int:
        """Add a command behind the others; return its index."""
        number = len(self.schedule.commands)
        timed = self.timed and task != self.preempted
        if timed:
            # Whoever preempts a task must be woken by nothing that the task does.
            self.timed = False
            self._let_preempt(task)
        elif after is None:
            after = self._finished_before(number)
        self.schedule.commands.append(GuestCommand(what, task, after, timed, arguments))
        self.last[task] = number
        return number

    def _finished_before(self, number: int) -> int | None:
        """Return the last command that is complete, whatever is still held in the middle."""
        held = self.last[self.preempted] if self.preempted else None
        return next((n for n in range(number - 1, -1, -1) if n != held), None)

    def _let_preempt(self, name: str) -> None:
        self.schedule.tasks[name] = replace(self.schedule.tasks[name], priority=2)
