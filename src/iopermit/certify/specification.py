"""The specification: in user mode a CPU allows a task the ports it was granted, and no others.

Also: every object in use on the heap is referred to by a field, or by a local variable that may
still be read. (Crashes are found while steps are executed.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iopermit.certify.effects import EVERY_LEVEL
from iopermit.certify.errors import Refuted, UnacceptableError
from iopermit.certify.language.constants import Scope, Value
from iopermit.certify.language.expressions import Expressions
from iopermit.certify.language.source import find_method, has_hook
from iopermit.certify.layout import check_layout
from iopermit.certify.state import FREE, USER, Batch, Numbers, Read, Rows, Table
from iopermit.system.bitmap import PORTS
from iopermit.system.machine_state import IoMapBase

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from iopermit.certify.kernel import Kernel


class Specification:
    """Checks states of one design and scenario."""

    def __init__(self, kernel: Kernel) -> None:
        """Interpret what the design says the processor consults.

        Raises:
            UnacceptableError: a base of its layout does not select what its name says.
        """
        check_layout(kernel.design)
        self.kernel, self.layout = kernel, kernel.layout
        self._map = self._consulted("map_in_force")
        self._covered = self._consulted("limit_covers_map")
        self._level = self._consulted("iopl_in_force")
        self._beyond = self._consulted("ports_beyond_map_allowed")
        longs = kernel.scenario.longs
        self._has_beyond = kernel.design.layout.map_ports < PORTS
        self._longs = (1 << longs) - 1
        self._all = (1 << (longs + self._has_beyond)) - 1
        self._repairs = has_hook(kernel.design, "general_protection")

    def _consulted(self, name: str) -> Read:
        method = find_method(self.kernel.design, name)
        if method is None or method.expression is None:
            raise UnacceptableError(f"{name}() is not a single `return expression`")
        expressions = Expressions(self.kernel.design, self.layout, {}, "task")
        names = {
            "cpu": Value(lambda b, _r: b.cpu + 1, "ref", "cpu"),
            "task": Value(lambda b, r: b.task[r] + 1, "ref", "task"),
        }
        given = dict(zip(method.parameters, names.values(), strict=False))
        scope = Scope(method, {n: _always(value) for n, value in given.items()}, "consulted ")
        return expressions.within(scope, method.expression).read

    def ports(
        self, table: Table, cpu: int, current: NDArray[np.int32], rows: Rows
    ) -> tuple[Numbers, Numbers]:
        """Return what a CPU allows and what its task was granted: a bit for each long.

        One more bit stands for the ports that a map has no bits for.
        """
        b = Batch(table[rows], cpu, current[rows], rows)
        r = b.rows
        clear = self._longs & ~b.load(self.layout["tss", "bitmap"], cpu, r)
        if self._has_beyond:
            clear = np.where(self._beyond(b, r), clear | (self._all ^ self._longs), clear)
        selected = self._map(b, r)
        by_map = np.where(np.equal(selected, IoMapBase.VALID.value), clear, 0)
        by_map = np.where(np.equal(selected, IoMapBase.ALL.value), self._all, by_map)
        by_map = np.where(self._covered(b, r), by_map, 0)
        allowed = np.where(np.equal(self._level(b, r), EVERY_LEVEL), self._all, by_map)
        granted = np.where(
            b.get(self.layout["task", "granted_iopl"]) != 0,
            self._all,
            b.get(self.layout["task", "granted"]),
        )
        return allowed, granted

    def some(self, ports: Numbers) -> NDArray[np.bool_]:
        """Return where at least one of the ports that there are is among some."""
        found: NDArray[np.bool_] = (ports & self._all) != 0
        return found

    def check(self, table: Table) -> None:
        """Raise Refuted if a state violates the specification."""
        layout, scenario = self.layout, self.kernel.scenario
        for cpu in range(scenario.cpus):
            current = table[:, layout["cpu", "current"].at(cpu)] - 1
            at = layout["task", "at"]
            where = table[np.arange(len(table)), at.offset + current * at.stride]
            calm = (table[:, layout["cpu", "at"].at(cpu)] == FREE) & (current < scenario.tasks)
            rows = np.flatnonzero(calm & (where == USER))
            if not len(rows):
                continue
            allowed, granted = self.ports(table, cpu, current, rows)
            counts = np.ones(len(rows), bool)
            if scenario.unprivileged:
                privileged = layout["task", "privileged"]
                counts = table[rows, privileged.offset + current[rows] * privileged.stride] == 0
            self._refuse(
                self.some(allowed & ~granted) & counts,
                rows,
                "leak: a port is allowed that the task was not granted",
            )
            if not self._repairs:
                self._refuse(
                    self.some(granted & ~allowed),
                    rows,
                    "loss: a port is refused that the task was granted",
                )
        if scenario.garbage:
            self._check_garbage(table)

    def _check_garbage(self, table: Table) -> None:
        for record in (cls.__name__ for cls in self.layout.heap):
            references = table[:, self.layout.places("ref", record)]
            for slot in range(self.layout.counts[record]):
                in_use = table[:, self.layout[record, "in_use"].at(slot)] != 0
                lost = in_use & ~(references == slot + 1).any(axis=1)
                self._refuse(
                    lost, np.arange(len(table)), f"garbage: nothing refers to a {record} in use"
                )

    def _refuse(self, bad: NDArray[np.bool_], rows: Rows, message: str) -> None:
        if bad.any():
            raise Refuted(message, int(rows[int(np.argmax(bad))]))


def _always(value: Value) -> Callable[[], Value]:
    return lambda: value
