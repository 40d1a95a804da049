"""A design in its surroundings: hooks, what tasks do in the kernel, context switches.

The rules, in this checker's own words. A task leaves the kernel for the place where it came from: a
kernel thread for its wait, others for user mode, by way of the design's ``return_to_user``
(interrupts off, after one step that can be preempted) if there is one. A context switch runs its
hook with interrupts off; its last step makes the next task current, and frees a dead one. A CPU
that comes up runs ``bring_up`` in the same way, see ``certify/hotplug.py``.

If the design repairs refusals, each task has a count: how often in a row its handler said of a
port that the task was granted that it may be tried again. The count is 0 again where the task
enters user mode and no such port is refused, when it does anything else, and when it is switched
away from.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from iopermit.certify.consulted import Consulted
from iopermit.certify.errors import UnacceptableError
from iopermit.certify.language.constants import Value
from iopermit.certify.language.liveness import live_variables
from iopermit.certify.language.source import has_hook
from iopermit.certify.language.statements import Code
from iopermit.certify.language.steps import Kinds, Point, Step
from iopermit.certify.operations import Operations, Rest
from iopermit.certify.state import (
    DEAD,
    FIRST_POINT,
    FREE,
    THREAD,
    USER,
    Batch,
    Column,
    Layout,
    Numbers,
    Rows,
)
from iopermit.system.events import Event, Who, events_of
from iopermit.system.events.hooks import BRING_UP, GENERAL_PROTECTION, RETURN_TO_USER
from iopermit.system.events.operations import calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.system.design import Design
    from iopermit.system.events.operations import Operation
    from iopermit.system.scenario import Scenario

_PASSES = 8


@dataclass
class Kernel:
    """A design in its surroundings: its state, its steps, where each event enters."""

    design: type[Design]
    scenario: Scenario
    layout: Layout
    steps: dict[int, Step] = field(default_factory=dict)
    """By the number of the point before it."""
    entries: dict[str, int] = field(default_factory=dict)
    """Number of the point where an operation, a switch or a bring-up begins, by its name."""
    back: int = USER
    """Where a task goes on that leaves the kernel for user mode."""
    live: dict[int, frozenset[Column]] = field(default_factory=dict)
    """The local variables that may still be read, for each point."""
    variables: dict[str, Column] = field(default_factory=dict)


def build(design: type[Design], scenario: Scenario) -> Kernel:
    """Interpret a design's hooks.

    Raises:
        UnacceptableError: it does something that this checker cannot interpret.
    """
    kinds: Kinds = {}
    for _ in range(_PASSES):
        # The kinds of local variables can depend on one another.
        known = dict(kinds)
        kernel = _Builder(design, scenario, kinds).build()
        if known == kinds:
            return kernel
    raise UnacceptableError(f"{design.__name__}: the kinds of local variables do not settle")


class _Builder:
    def __init__(self, design: type[Design], scenario: Scenario, kinds: Kinds) -> None:
        self.design, self.scenario = design, scenario
        self.layout = Layout(design, scenario)
        self.repairs = has_hook(design, GENERAL_PROTECTION.name)
        if self.repairs:
            self.layout.count_refusals()
            self.consulted = Consulted(design, self.layout)
        self.points: list[Point] = []
        self.code = Code(design, self.layout, kinds, self.points)
        self.back = Point(USER)
        self.entries: dict[str, Point] = {}
        self.operations: dict[str, Operation] = {}

    def build(self) -> Kernel:
        """Return the kernel with all that the scenario's events need."""
        direct = not has_hook(self.design, RETURN_TO_USER.name)
        if not direct:
            # The hook itself goes to user mode, with interrupts off.
            way = Operations(self.code, Rest(lambda _b, _r: USER), Point(USER))
            entry = way.hook(RETURN_TO_USER, self._user_mode())
            label = "return to user mode: interrupts off"
            self.back = self._point(label, lambda _b: entry.final.number, entry, sleeps=True)
        out = Rest(self._leave, (self.back, Point(THREAD)))
        leaving = Operations(self.code, out, self.back)
        row = Operations(self.code, replace(out, go=self._end_row_and_leave), self.back)
        possible = possible_events(self.design, self.scenario)
        for name, operation in {
            e.operation.name: e.operation for e in possible if e.operation
        }.items():
            operations = row if direct and operation.counts_refusals else leaving
            entry_point = operations.enter(operation, _never(operation, possible))
            self.operations[name] = operation
            if entry_point is not None:
                self.entries[name] = entry_point
        self._switch()
        return self._finish()

    def _point(
        self, label: str, run: Callable[[Batch], Numbers], *following: Point, sleeps: bool = False
    ) -> Point:
        """Return a point before a step of the environment."""
        at = Point()
        self.code.step(((), label), at, run, *following).sleeps = sleeps
        return at

    def _user_mode(self) -> Point:
        """Return where the hook of the way back leads to."""
        if not self.repairs:
            return Point(USER)

        def run(b: Batch) -> Numbers:
            self._end_row(b, b.rows)
            return USER

        self.code.off = True
        point = self._point("the task enters user mode", run, Point(USER))
        self.code.off = False
        return point

    def _end_row(self, b: Batch, r: Rows) -> None:
        """A row of refusals ends where a task enters user mode and is refused nothing."""
        ended = r[~self.consulted.refuses(b, r)]
        b.store(self.layout["task", "refusals"], b.task[ended], ended, 0)

    def _end_row_and_leave(self, b: Batch, r: Rows) -> Numbers:
        self._end_row(b, r)
        return self._leave(b, r)

    def _leave(self, b: Batch, r: Rows) -> Numbers:
        """Go where the task came from: the wait of a kernel thread, or user mode."""
        thread = b.load(self.layout["task", "kernel_thread"], b.task[r], r)
        return np.where(thread != 0, THREAD, self.back.final.number)

    def _hook(self, name: str, then: Point, names: list[Callable[[], Value]]) -> Point:
        """Return the point where a hook of a CPU begins."""
        if not has_hook(self.design, name):
            return then
        self.code.off = True
        try:
            return self.code.hook(name, names, then)
        finally:
            self.code.off = False

    # The scheduler, and bring-up.

    def _switch(self) -> None:
        layout = self.layout
        self.code.expressions.record = "cpu"
        current, following = layout["cpu", "current"], layout["cpu", "following"]

        def end(b: Batch) -> Numbers:
            previous = b.get(current) - 1
            dead = np.flatnonzero(b.load(layout["task", "at"], previous, b.rows) == DEAD)
            b.clear(layout, "task", previous[dead], dead)
            b.put(current, b.get(following))
            b.put(following, 0)
            return FREE

        self.code.off = True
        last = self._point("the next task runs", end, Point(FREE))
        self.code.off = False

        def task(column: Column) -> Callable[[], Value]:
            return lambda: Value(lambda b, r: b.load(column, b.cpu, r), "ref", "task")

        cpu = Value(lambda b, _r: b.cpu + 1, "ref", "cpu", own=True)
        tasks = [task(current), task(following)]
        self.entries["switch"] = self._hook("switch_to", last, [lambda: cpu, *tasks])
        self._bring_up(cpu)

    def _bring_up(self, cpu: Value) -> None:
        """Bring a CPU up, at first or later: both are the same, and nobody follows in the end."""
        end = Point(FREE)
        if has_hook(self.design, BRING_UP.name):

            def up(b: Batch) -> Numbers:
                b.put(self.layout["cpu", "following"], 0)
                return FREE

            self.code.off = True
            end = self._point("the CPU is up again", up, Point(FREE))
            self.code.off = False
        self.entries["bring_up"] = self._hook(BRING_UP.name, end, [lambda: cpu])

    def _finish(self) -> Kernel:
        for number, point in enumerate(self.points, FIRST_POINT):
            point.number = number
        steps = {point.number: point.step for point in self.points if point.step is not None}
        kernel = Kernel(self.design, self.scenario, self.layout, steps)
        kernel.entries = {name: point.final.number for name, point in self.entries.items()}
        kernel.back = self.back.final.number
        kernel.variables = self.code.variables
        kernel.live = live_variables(steps)
        given = {f"{o.name}.{name}" for o in self.operations.values() for name, _ in o.arguments}
        for name, entry in kernel.entries.items():
            unset = {v.name for v in kernel.live[entry]} - given
            if unset:
                message = f"{self.design.__name__}: {min(unset)} may be used before it has a value"
                raise UnacceptableError(f"{message}, after {name}")
        together = [
            {o.name, *(c.hook.name for c in calls(o.body))} for o in self.operations.values()
        ]
        self.layout.place(self.code.variables.values(), together)
        return kernel


def possible_events(design: type[Design], scenario: Scenario) -> list[Event]:
    """Return what tasks can do."""

    def has(name: str) -> bool:
        return has_hook(design, name)

    tasks = (Who.USER, Who.KERNEL_THREAD)
    found = [event for who in tasks for event in events_of(who, scenario.events, has)]
    return list(dict.fromkeys(found))


def _never(operation: Operation, possible: list[Event]) -> set[str]:
    """Return the flags of an operation that none of the events sets that do it."""
    doing = [event for event in possible if event.operation == operation]
    fixed = {name for event in doing for name in event.fixed}
    return {name for name in fixed if not any(event.fixed.get(name, True) for event in doing)}
