"""The state from which everything begins: CPUs just brought up, tasks that never did anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.certify.errors import UnacceptableError
from iopermit.certify.state import FREE, THREAD, USER, Batch, Table
from iopermit.system.events import Event

if TYPE_CHECKING:
    from iopermit.certify.kernel import Kernel

_MOST_STEPS: Final = 1_000_000


def initial_state(kernel: Kernel) -> Table:
    """Return the initial state as a table of one row.

    A task runs on each CPU, as far as they go; the others wait to return to user mode.

    Raises:
        Refuted: bringing up a CPU crashes.
        UnacceptableError: it does not end.
    """
    layout, scenario = kernel.layout, kernel.scenario
    table = np.zeros((1, layout.width), np.int32)
    for column in layout.columns.values():
        if column.record not in {cls.__name__ for cls in layout.heap}:
            for slot in range(layout.counts[column.record]):
                table[0, column.at(slot)] = column.default
    at, current = layout["task", "at"], layout["cpu", "current"]
    for slot in range(layout.counts["task"]):
        table[0, at.at(slot)] = kernel.back if slot < scenario.tasks else THREAD
        if slot < scenario.tasks and not scenario.has(Event.MIGRATE):
            table[0, layout["task", "home"].at(slot)] = slot % scenario.cpus
    for cpu in range(scenario.cpus):
        table[0, current.at(cpu)] = scenario.tasks + cpu + 1
        table = _brought_up(kernel, table, cpu)
    for cpu in range(min(scenario.cpus, scenario.tasks)):
        table[0, at.at(cpu)] = USER
        table[0, current.at(cpu)] = cpu + 1
    if scenario.unprivileged:
        table[0, layout["task", "privileged"].at(0)] = 0
    return table


def _brought_up(kernel: Kernel, table: Table, cpu: int) -> Table:
    """Execute bring_up() on a CPU, nothing in between."""
    number = kernel.entries["bring_up"]
    idle = np.array([kernel.scenario.tasks + cpu], np.int32)
    b = Batch(table, cpu, idle, np.zeros(1, np.intp))
    for _ in range(_MOST_STEPS):
        if number == FREE:
            return b.table
        b.table[:, kernel.layout["cpu", "at"].at(cpu)] = FREE
        step = kernel.steps[number]
        if step.allocates:
            b.choice = _lowest_free(kernel, b.table, step.allocates)
        number = int(np.max(step.run(b)))
    raise UnacceptableError(f"{kernel.design.__name__}: bring_up() does not end")


def _lowest_free(kernel: Kernel, table: Table, record: str) -> int:
    """Return the slot that an allocation gets while nothing else happens."""
    in_use = kernel.layout[record, "in_use"]
    slots = range(kernel.layout.counts[record])
    free = (slot for slot in slots if not table[0, in_use.at(slot)])
    found = next(free, None)
    if found is None:
        raise UnacceptableError(f"the scenario has no room for the {record} that bring_up() makes")
    return found
