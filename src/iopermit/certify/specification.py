"""The specification: in user mode a CPU allows a task the ports it was granted, and no others.

Also: every object in use on the heap is referred to by a field, or by a local variable that may
still be read. (Crashes are found while steps are executed.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from iopermit.certify.consulted import Consulted
from iopermit.certify.errors import Refuted
from iopermit.certify.language.source import has_hook
from iopermit.certify.layout import check_layout
from iopermit.certify.state import FREE, USER, Batch, Numbers, Rows, Table

if TYPE_CHECKING:
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
        self._consulted = Consulted(kernel.design, kernel.layout)
        self._repairs = has_hook(kernel.design, "general_protection")

    def ports(
        self, table: Table, cpu: int, current: NDArray[np.int32], rows: Rows
    ) -> tuple[Numbers, Numbers]:
        """Return what a CPU allows and what its task was granted: a bit for each long.

        One more bit stands for the ports that a map has no bits for.
        """
        b = Batch(table[rows], cpu, current[rows], rows)
        return self._consulted.ports(b, b.rows)

    def some(self, ports: Numbers) -> NDArray[np.bool_]:
        """Return where at least one of the ports that there are is among some."""
        return self._consulted.some(ports)

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
            lost, told = (
                self.some(granted & ~allowed),
                "a port is refused that the task was granted",
            )
            if self._repairs:
                refusals = layout["task", "refusals"]
                in_a_row = table[rows, refusals.offset + current[rows] * refusals.stride]
                lost &= in_a_row >= scenario.most_refusals
                told = "the handler of #GP says again and again that it repaired a refusal"
            self._refuse(lost, rows, f"loss: {told}")
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
