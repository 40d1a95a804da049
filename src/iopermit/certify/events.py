"""What can happen next: every successor of every state.

The rules, in this checker's own words. On each CPU, in each state: a CPU that switches executes the
next step of that. Otherwise a task in user mode makes any system call with any arguments, or
meets any event of the scenario; a kernel thread between two events can create another or exit; a
task in the kernel executes its next step. The scheduler can take the CPU away from a task that
is not in the kernel, or is before a step with preemption on, and give it to any task that is on no
CPU and alive, or to none (the idle task). An allocation gets a free slot that something still
refers to (an address used again), or the first of the others, which are alike; or it fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from iopermit.certify.errors import Refuted
from iopermit.certify.state import (
    DEAD,
    EMBRYO,
    FIRST_POINT,
    FREE,
    THREAD,
    USER,
    Batch,
    Column,
    Rows,
    Table,
)
from iopermit.system.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.certify.kernel import Kernel
    from iopermit.certify.language.steps import Step
    from iopermit.certify.specification import Specification

Flags = NDArray[np.bool_]

KNOWN: Final = frozenset(
    {
        Event.IOPERM,
        Event.IOPL,
        Event.FORK,
        Event.FORK_FAILS,
        Event.EXIT,
        Event.IO_THREAD,
        Event.EXEC,
        Event.DROP_PRIVILEGE,
        Event.ALLOCATION_FAILS,
        Event.PREEMPT,
        Event.MIGRATE,
        Event.VM_EXIT,
    }
)
"""The events whose meaning is here. Only their arguments are those of the table of events."""


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
        self._preemptible = np.zeros(last + 1, bool)
        for number, step in kernel.steps.items():
            self._preemptible[number] = preempted and not step.preemption_off
        self._preemptible[[USER, THREAD, DEAD]] = True
        self._copied = [
            c for c in self.layout.columns.values() if c.record == "task" and c.declared
        ]

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
            yield from self._events(table, cpu, current, real & (at == USER), user=True)
            yield from self._events(table, cpu, current, real & (at == THREAD), user=False)
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
        self, table: Table, cpu: int, current: NDArray[np.int32], which: Flags, *, user: bool
    ) -> Iterator[Successors]:
        if not which.any():
            return
        calls = self._user_events if user else self._thread_events
        for name, changes, more in calls(table, cpu, current, which):
            batch = self._batch(table, cpu, current, which if more is None else which & more)
            if batch is None:
                continue
            for column, value in changes:
                batch.put(column, value)
            batch.put(self.layout["task", "at"], self.kernel.entries.get(name, self.kernel.back))
            yield Successors(batch.table, batch.members, name)
        for name, thread, fails in self._forks(user=user):
            yield from self._fork(
                table, (cpu, current, which), thread=thread, fails=fails, name=name
            )

    def _user_events(
        self, table: Table, cpu: int, current: NDArray[np.int32], which: Flags
    ) -> Iterator[tuple[str, list[tuple[Column, int]], Flags | None]]:
        """Yield where each event enters, what it sets, and where it can happen (None: always)."""
        has, variables = self.scenario.has, self.kernel.variables
        if has(Event.IOPERM):
            for call in Event.IOPERM.choices(self.scenario):
                mask = (1 << call["end"]) - (1 << call["first"])
                ports, turn_on = variables["ioperm.ports"], variables["ioperm.turn_on"]
                yield "ioperm", [(ports, mask), (turn_on, call["turn_on"])], None
        if has(Event.IOPL):
            for call in Event.IOPL.choices(self.scenario):
                yield "iopl", [(variables["iopl.level"], call["level"])], None
        yield from self._thread_events(table, cpu, current, which)
        if has(Event.EXEC):
            yield "exec", [], None
        if has(Event.DROP_PRIVILEGE):
            privileged = self.layout["task", "privileged"]
            holds = self._task(table, privileged, current) != 0
            yield "drop-privilege", [(privileged, 0)], holds
        if "vm-exit" in self.kernel.entries:
            yield "vm-exit", [(self.layout["cpu", "tr_limit_low"], 1)], None
        if "fault" in self.kernel.entries:
            yield from self._faults(table, cpu, current, which)

    def _faults(
        self, table: Table, cpu: int, current: NDArray[np.int32], which: Flags
    ) -> Iterator[tuple[str, list[tuple[Column, int]], Flags | None]]:
        """Yield the accesses that the processor refuses: to granted ports, and to others."""
        rows = np.flatnonzero(which)
        allowed, granted = self.specification.ports(table, cpu, current, rows)
        for flag, ports in ((1, granted), (0, ~granted)):
            refused = np.zeros(len(table), bool)
            refused[rows] = self.specification.some(ports & ~allowed)
            yield "fault", [(self.kernel.variables["fault.granted"], flag)], refused

    def _thread_events(
        self, _table: Table, _cpu: int, _current: NDArray[np.int32], _which: Flags
    ) -> Iterator[tuple[str, list[tuple[Column, int]], Flags | None]]:
        if self.scenario.has(Event.EXIT):
            yield "exit", [], None

    def _forks(self, *, user: bool) -> Iterator[tuple[str, bool, bool]]:
        """Yield the ways to make a child: the entry, whether it is a kernel thread, fails."""
        has = self.scenario.has
        fails = [False, True] if has(Event.FORK_FAILS) else [False]
        if user and has(Event.FORK):
            yield "fork", False, False
        if user and has(Event.FORK_FAILS):
            yield "fork", False, True
        if has(Event.IO_THREAD):
            yield from (("fork", True, failing) for failing in fails)

    def _fork(
        self,
        table: Table,
        parents: tuple[int, NDArray[np.int32], Flags],
        *,
        thread: bool,
        fails: bool,
        name: str,
    ) -> Iterator[Successors]:
        """Copy the task structure to a free slot, as fork does first, and enter the hook."""
        cpu, current, which = parents
        layout, variables, tasks = self.layout, self.kernel.variables, self.scenario.tasks
        at = layout["task", "at"]
        free = np.stack([table[:, at.at(slot)] == FREE for slot in range(tasks)])
        for slot, possible in enumerate(self._candidates(table, "task", free)):
            b = self._batch(table, cpu, current, which & possible)
            if b is None:
                continue
            kept = [] if self.scenario.has(Event.MIGRATE) else [layout["task", "home"]]
            for column in (*self._copied, *kept):
                b.store(column, slot, b.rows, b.get(column))
            b.store(layout["task", "kernel_thread"], slot, b.rows, int(thread))
            b.store(at, slot, b.rows, EMBRYO)
            b.put(variables["fork.child"], slot + 1)
            b.put(variables["fork.fails"], int(fails))
            b.put(at, self.kernel.entries[name])
            yield Successors(b.table, b.members, name)

    # The scheduler.

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
        b.put(self.layout["cpu", "following"], following + 1)
        b.put(self.layout["cpu", "at"], self.kernel.entries["switch"])
        yield Successors(b.table, b.members, "switch")

    def _runnable(self, table: Table, cpu: int, slot: int) -> Flags:
        layout = self.layout
        possible: Flags = ~np.isin(table[:, layout["task", "at"].at(slot)], (FREE, EMBRYO, DEAD))
        for other in range(self.scenario.cpus):
            for name in ("current", "following"):
                possible &= table[:, layout["cpu", name].at(other)] != slot + 1
        if not self.scenario.has(Event.MIGRATE):
            possible &= table[:, layout["task", "home"].at(slot)] == cpu
        return possible
