"""What can happen next: every successor of every state.

The rules, in this checker's own words. On each CPU, in each state: a CPU that switches executes the
next step of that. Otherwise a task in user mode makes any system call with any arguments, or
meets any event of the scenario; a kernel thread between two events can create another or exit; a
task in the kernel executes its next step. The scheduler can take the CPU away from a task that
is not in the kernel, or is before a step with preemption on, and give it to any task that is on no
CPU, alive and not halted by another task, or to none (the idle task). A CPU that runs its idle task
can go down and come up. An allocation gets a free slot that something still refers to (an address
used again), or the first of the others, which are alike; or it fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from iopermit.certify.effects import effect
from iopermit.certify.errors import Refuted, UnacceptableError
from iopermit.certify.hotplug import can_go_down, go_down, idle_events
from iopermit.certify.kernel import possible_events
from iopermit.certify.language.steps import Point
from iopermit.certify.state import (
    DEAD,
    EMBRYO,
    FIRST_POINT,
    FREE,
    HALTED,
    THREAD,
    USER,
    Batch,
    Column,
    Rows,
    Table,
)
from iopermit.system.events import Event, Precondition, Who
from iopermit.system.events.hooks import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iopermit.certify.effects import Operands
    from iopermit.certify.kernel import Kernel
    from iopermit.certify.language.steps import Step
    from iopermit.certify.specification import Specification
    from iopermit.certify.state import Numbers
    from iopermit.system.events.arguments import Choice

Flags = NDArray[np.bool_]

_ASPECTS: Final = frozenset({Event.ALLOCATION_FAILS, Event.PREEMPT, Event.MIGRATE})
"""Events that nobody does, and whose meaning is here and in the rules above."""


@dataclass
class Successors:
    """States that others lead to."""

    table: Table
    members: Rows
    """The numbers of those others."""
    how: str
    """What happens."""


class Events:
    """Finds the successors of many states at once."""

    def __init__(self, kernel: Kernel, specification: Specification) -> None:
        """Let happen what the scenario of ``kernel`` says."""
        self.kernel, self.specification = kernel, specification
        self.scenario, self.layout = kernel.scenario, kernel.layout
        preempted = self.scenario.has(Event.PREEMPT) and kernel.design.preemptible
        last = max(kernel.steps, default=FIRST_POINT)
        # An allocation may sleep, and schedule() is called on the way back to user mode.
        self._preemptible = np.zeros(last + 1, bool)
        for number, step in kernel.steps.items():
            switches = preempted or step.sleeps or step.allocates != ""
            self._preemptible[number] = switches and not step.preemption_off
        self._preemptible[[USER, THREAD, DEAD]] = True
        self._possible = possible_events(kernel.design, self.scenario)
        self._of_cpus = idle_events(kernel.design, self.scenario)
        for event in self.scenario.events:
            if event.operation is None and event not in _ASPECTS:
                raise UnacceptableError(f"this checker does not know what {event.name!r} is")

    def after(self, table: Table) -> Iterator[Successors]:
        """Yield all successors of the states, whose dead variables must be zero."""
        layout = self.layout
        for cpu in range(self.scenario.cpus):
            current = table[:, layout["cpu", "current"].at(cpu)] - 1
            switch = table[:, layout["cpu", "at"].at(cpu)]
            yield from self._steps(table, cpu, current, switch, layout["cpu", "at"])
            calm = switch == FREE
            at = self._task(table, layout["task", "at"], current)
            real = calm & (current < self.scenario.tasks)
            yield from self._steps(
                table, cpu, current, np.where(real, at, FREE), layout["task", "at"]
            )
            yield from self._events(table, cpu, current, real & (at == USER), Who.USER)
            yield from self._events(table, cpu, current, real & (at == THREAD), Who.KERNEL_THREAD)
            yield from self._of_idle_cpu(table, cpu, current, calm & ~real)
            yield from self._switches(table, cpu, current, calm & (~real | self._preemptible[at]))

    def _task(self, table: Table, column: Column, slots: NDArray[np.int32]) -> NDArray[np.int32]:
        found: NDArray[np.int32] = table[
            np.arange(len(table)), column.offset + slots * column.stride
        ]
        return found

    def _batch(
        self, table: Table, cpu: int, current: NDArray[np.int32], which: Flags
    ) -> Batch | None:
        """Return a copy of some of the states, or None if they are none."""
        members = np.flatnonzero(which)
        return Batch(table[members], cpu, current[members], members) if len(members) else None

    # Steps.

    def _steps(
        self,
        table: Table,
        cpu: int,
        current: NDArray[np.int32],
        at: NDArray[np.int32],
        where: Column,
    ) -> Iterator[Successors]:
        for number in np.unique(at[at >= FIRST_POINT]):
            step = self.kernel.steps[int(number)]
            which = at == number
            choices = (
                self._choices(table, step.allocates, which) if step.allocates else [(0, which)]
            )
            for choice, possible in choices:
                batch = self._batch(table, cpu, current, possible)
                if batch is not None:
                    yield self._executed(batch, step, choice, where)

    def _executed(self, batch: Batch, step: Step, choice: int, where: Column) -> Successors:
        batch.choice = choice
        try:
            batch.put(where, step.run(batch))
        except Refuted as refuted:
            raise Refuted(f"{refuted}, at {step}", refuted.member) from refuted
        return Successors(batch.table, batch.members, str(step))

    def _choices(self, table: Table, record: str, which: Flags) -> Iterator[tuple[int, Flags]]:
        """Yield what an allocation can get: a slot, or one beyond the last for failure."""
        in_use, slots = self.layout[record, "in_use"], self.layout.counts[record]
        free = np.stack([table[:, in_use.at(slot)] == 0 for slot in range(slots)])
        full = np.flatnonzero(which & ~free.any(axis=0))
        if len(full):
            raise Refuted(f"the scenario has no room for one more {record}", int(full[0]))
        for slot, possible in enumerate(self._candidates(table, record, free)):
            yield slot, which & possible
        if self.scenario.has(Event.ALLOCATION_FAILS):
            yield slots, which

    def _candidates(self, table: Table, record: str, free: NDArray[np.bool_]) -> Iterator[Flags]:
        """Yield for each slot where it may be taken."""
        none_before = np.ones(len(table), bool)
        for slot, is_free in enumerate(free):
            referenced = (table[:, self.layout.places("ref", record)] == slot + 1).any(axis=1)
            fresh = is_free & ~referenced
            yield is_free & (referenced | none_before)
            none_before = none_before & ~fresh

    # Events.

    def _events(
        self, table: Table, cpu: int, current: NDArray[np.int32], which: Flags, who: Who
    ) -> Iterator[Successors]:
        if not which.any():
            return
        for event in self._possible:
            for choice in event.choices(self.scenario) if who in event.who else ():
                possible = which & self._precondition(event, choice, table, (cpu, current, which))
                batch = self._batch(table, cpu, current, possible)
                if batch is not None:
                    self._enter(batch, event, choice)
                    yield Successors(batch.table, batch.members, event.name)

    def _enter(self, b: Batch, event: Event, choice: Choice) -> None:
        """Let an event happen: what changes at once, its arguments, and where it begins."""
        operation, layout = event.operation, self.layout
        assert operation is not None
        given = event.values(choice, lambda first, end: (1 << end) - (1 << first))
        operands: Operands = {name: _constant(int(value)) for name, value in given.items()}
        at = layout["task", "at"]
        came_from = np.where(b.get(at) == THREAD, THREAD, self.kernel.back)
        if not operation.counts_refusals:
            self._end_row(b)
        for each in operation.at_once:
            effect(layout, each, operands, Point(self.kernel.back))(b, b.rows)
        for name, kind in operation.arguments:
            column = self.kernel.variables[f"{operation.name}.{name}"]
            b.put(column, int(given[name]) + (kind is Kind.TASK))
        b.put(at, self.kernel.entries.get(operation.name, came_from))

    def _end_row(self, b: Batch) -> None:
        """Forget how often the current task was refused a port in a row, if that is counted."""
        refusals = self.layout.columns.get(("task", "refusals"))
        if refusals is not None:
            b.put(refusals, 0)

    def _precondition(
        self,
        event: Event,
        choice: Choice,
        table: Table,
        where: tuple[int, NDArray[np.int32], Flags],
    ) -> Flags:
        """Return in which states an event is possible that its task could begin."""
        cpu, current, which = where
        match event.guard:
            case Precondition.NONE:
                return which
            case Precondition.PRIVILEGED:
                privileged: Flags = (
                    self._task(table, self.layout["task", "privileged"], current) != 0
                )
                return privileged
            case Precondition.FREE_SLOT:
                at = self.layout["task", "at"]
                tasks = range(self.scenario.tasks)
                free = np.stack([table[:, at.at(slot)] == FREE for slot in tasks])
                return list(self._candidates(table, "task", free))[choice["child"]]
            case Precondition.STOPPABLE:
                return self._waits(table, choice["target"])
            case Precondition.REFUSED:
                rows = np.flatnonzero(which)
                allowed, granted = self.specification.ports(table, cpu, current, rows)
                ports = granted if choice["granted"] else ~granted
                refused = np.zeros(len(table), bool)
                refused[rows] = self.specification.some(ports & ~allowed)
                return refused
        raise UnacceptableError(f"this checker does not know when {event.name!r} is possible")

    # An idle CPU, and the scheduler.

    def _of_idle_cpu(
        self, table: Table, cpu: int, current: NDArray[np.int32], idle: Flags
    ) -> Iterator[Successors]:
        for event in self._of_cpus:
            for choice in event.choices(self.scenario):
                possible = idle & can_go_down(self.kernel, table, cpu, choice)
                b = self._batch(table, cpu, current, possible)
                if b is not None:
                    go_down(self.kernel, b, choice)
                    yield Successors(b.table, b.members, event.name)

    def _switches(
        self, table: Table, cpu: int, current: NDArray[np.int32], which: Flags
    ) -> Iterator[Successors]:
        tasks, _layout = self.scenario.tasks, self.layout
        real = current < tasks
        for slot in range(tasks):
            yield from self._switch(
                table, (cpu, current), which & self._runnable(table, cpu, slot), slot
            )
        yield from self._switch(table, (cpu, current), which & real, tasks + cpu)

    def _switch(
        self, table: Table, on: tuple[int, NDArray[np.int32]], which: Flags, following: int
    ) -> Iterator[Successors]:
        b = self._batch(table, *on, which)
        if b is None:
            return
        at = self.layout["task", "at"]
        interrupted = (b.get(at) == USER) & (b.task < self.scenario.tasks)
        b.put(at, np.where(interrupted, self.kernel.back, b.get(at)))
        self._end_row(b)
        b.put(self.layout["cpu", "following"], following + 1)
        b.put(self.layout["cpu", "at"], self.kernel.entries["switch"])
        yield Successors(b.table, b.members, "switch")

    def _runnable(self, table: Table, cpu: int, slot: int) -> Flags:
        layout = self.layout
        nowhere = (FREE, EMBRYO, DEAD, HALTED)
        possible: Flags = ~np.isin(table[:, layout["task", "at"].at(slot)], nowhere)
        possible &= self._off_cpus(table, slot)
        if not self.scenario.has(Event.MIGRATE):
            possible &= table[:, layout["task", "home"].at(slot)] == cpu
        return possible

    def _off_cpus(self, table: Table, slot: int) -> Flags:
        """Return in which states no CPU has a task, or is about to."""
        off = np.ones(len(table), bool)
        for cpu in range(self.scenario.cpus):
            for name in ("current", "following"):
                off &= table[:, self.layout["cpu", name].at(cpu)] != slot + 1
        return off

    def _waits(self, table: Table, slot: int) -> Flags:
        """Return in which states a task has nothing left to do but to go on in user mode."""
        there: Flags = table[:, self.layout["task", "at"].at(slot)] == self.kernel.back
        return there & self._off_cpus(table, slot)


def _constant(value: int) -> Callable[[Batch, Rows], Numbers]:
    return lambda _b, _r: value
