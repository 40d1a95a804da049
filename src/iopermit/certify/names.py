"""Compares states up to what the certificate says: names of tasks, CPUs, objects and numbers.

Nothing in a kernel depends on which slot a task, CPU or heap object has, or on the value of a
sequence number: the checker refuses designs that compare two of them other than for equality. So
a state with all names exchanged behaves as the state itself. Each state is written as the least
of its forms over all orders of tasks and CPUs, objects and numbers named by their first mention.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from iopermit.certify.errors import UnacceptableError
from iopermit.certify.state import FIRST_POINT, Table
from iopermit.system.events import Event

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iopermit.certify.kernel import Kernel

Keys = NDArray[np.uint64]
"""Each state as a few words: equal words, equal states."""

_WORD = 64


class Names:
    """Turns states into keys that do not depend on names."""

    def __init__(
        self, kernel: Kernel, widths: Mapping[int, int], *, symmetry: bool, numbers: bool
    ) -> None:
        """Take names as they are, unless ``symmetry`` or ``numbers`` says that they do not matter.

        Args:
            kernel: the design in its scenario.
            widths: for each column how many bits its values have in the certificate.
            symmetry: whether tasks, CPUs and heap objects are renamed.
            numbers: whether sequence numbers are.
        """
        self.kernel, self.layout = kernel, kernel.layout
        self._symmetry, self._numbers = symmetry, numbers
        self._clear_table = self._live_columns()
        self._places: list[tuple[int, int, int]] = []
        word = shift = 0
        for column in range(self.layout.width):
            width = widths.get(column, 0)
            if shift + width > _WORD:
                word, shift = word + 1, 0
            if width:
                self._places.append((column, word, shift))
            shift += width
        self.words = word + 1
        self._limits = np.array([(1 << widths.get(c, 0)) - 1 for c in range(self.layout.width)])
        self._negative = np.array(self.layout.places("result"), np.intp)

    def clear_dead(self, table: Table) -> None:
        """Give every local variable that nothing reads any more the value 0."""
        for record, (first, live) in self._clear_table.items():
            for slot in range(self.layout.counts[record]):
                block = self.layout.block(record, slot)
                at = table[:, self.layout[record, "at"].at(slot)]
                table[:, block.start + first : block.stop] *= live[at]

    def _live_columns(self) -> dict[str, tuple[int, Table]]:
        """Return for tasks and CPUs where variables begin, and which are live at each point."""
        found = {}
        points = max(self.kernel.live, default=FIRST_POINT) + 1
        for record in ("task", "cpu"):
            fields = sum(c.record == record for c in self.layout.columns.values())
            live = np.zeros((points, self.layout.strides[record] - fields), np.int32)
            base = self.layout.bases[record] + fields
            for number, variables in self.kernel.live.items():
                for variable in variables:
                    if variable.record == record:
                        live[number, variable.offset - base] = 1
            found[record] = (fields, live)
        return found

    def keys(self, table: Table) -> tuple[Keys, NDArray[np.bool_]]:
        """Return the keys of states, and which states are too large to be in the certificate.

        The states' dead variables must be zero.
        """
        forms = self._renamed(table)
        best, lost = self._pack(next(forms))
        for renamed in forms:
            best = _least(best, self._pack(renamed)[0])
        return best, lost

    def _pack(self, table: Table) -> tuple[Keys, NDArray[np.bool_]]:
        table[:, self._negative] *= -1
        wrong: NDArray[np.bool_] = (table < 0) | (table > self._limits)
        lost: NDArray[np.bool_] = wrong.any(axis=1)  # type: ignore[assignment]  # it has an axis
        key = np.zeros((len(table), self.words), np.uint64)
        for column, word, shift in self._places:
            key[:, word] |= table[:, column].astype(np.uint64) << np.uint64(shift)
        return key, lost

    # Renaming.

    def _renamed(self, table: Table) -> Iterator[Table]:
        """Yield copies of the states with all the names that matter."""
        if not self._symmetry:
            copy = table.copy()
            if self._numbers:
                self._name_numbers(copy)
            yield copy
            return
        scenario = self.kernel.scenario
        orders = [tuple(range(scenario.cpus))]
        if scenario.has(Event.MIGRATE):
            # Otherwise each task has a home, which is a number.
            orders = list(itertools.permutations(orders[0]))
        for tasks in itertools.permutations(range(scenario.tasks)):
            for cpus in orders:
                idle = tuple(scenario.tasks + cpu for cpu in cpus)
                renamed = self._permuted(table, {"task": tasks + idle, "cpu": cpus, "tss": cpus})
                self._name_objects(renamed)
                if self._numbers:
                    self._name_numbers(renamed)
                yield renamed

    def _permuted(self, table: Table, orders: Mapping[str, tuple[int, ...]]) -> Table:
        """Put old slots in a new order, and change all references accordingly."""
        result = table.copy()
        for record, order in orders.items():
            if order == tuple(range(len(order))):
                continue
            for new, old in enumerate(order):
                result[:, self.layout.block(record, new)] = table[:, self.layout.block(record, old)]
        for record, order in orders.items():
            if order == tuple(range(len(order))):
                continue
            names = np.zeros(len(order) + 1, np.int32)
            for new, old in enumerate(order):
                names[old + 1] = new + 1
            for column in self.layout.places("ref", record):
                result[:, column] = names[result[:, column]]
        return result

    def _name_objects(self, table: Table) -> None:
        """Number heap objects by their first mention, in fields of fixed slots first."""
        heap = [cls.__name__ for cls in self.layout.heap]
        if not heap:
            return
        rows = np.arange(len(table))
        naming = {r: _Naming(len(table), self.layout.counts[r]) for r in heap}
        blocks = {r: self._block(r) for r in heap}
        for record in heap:
            for column in self.layout.places("ref", record):
                if not any(b.start <= column < b.stop for b in blocks.values()):
                    naming[record].mention(table[:, column])
        links = [c for c in self.layout.columns.values() if c.record in heap and c.target in heap]
        for _ in range(sum(self.layout.counts[r] for r in heap) if links else 0):
            for link in links:
                for name in range(self.layout.counts[link.record]):
                    old, known = naming[link.record].slot_of(name + 1)
                    value = table[rows, link.offset + np.maximum(old, 0) * link.stride]
                    naming[link.target].mention(np.where(known, value, 0))
        for record in heap:
            for slot in range(self.layout.counts[record]):
                naming[record].mention(np.full(len(table), slot + 1, np.int32))
        self._apply(table, naming)

    def _apply(self, table: Table, naming: Mapping[str, _Naming]) -> None:
        for record, names in naming.items():
            stride, count = self.layout.strides[record], self.layout.counts[record]
            block = self._block(record)
            old = table[:, block].reshape(len(table), count, stride)
            order = np.argsort(names.names[:, 1:], axis=1, kind="stable")
            table[:, block] = np.take_along_axis(old, order[:, :, None], axis=1).reshape(
                len(table), count * stride
            )
        for record, names in naming.items():
            for column in self.layout.places("ref", record):
                table[:, column] = names.new(table[:, column])

    def _block(self, record: str) -> slice:
        first = self.layout.bases[record]
        return slice(first, first + self.layout.counts[record] * self.layout.strides[record])

    def _name_numbers(self, table: Table) -> None:
        """Number sequence numbers by their first mention; 0 stays 0."""
        columns = self.layout.places("counter")
        if not columns:
            return
        most = int(table[:, columns].max(initial=0))
        naming = _Naming(len(table), most)
        for column in columns:
            naming.mention(table[:, column])
            table[:, column] = naming.new(table[:, column])


class _Naming:
    """New names from 1 on, for each row, in the order in which old ones are mentioned."""

    def __init__(self, rows: int, most: int) -> None:
        self.names = np.zeros((rows, most + 1), np.int32)
        self._given = np.zeros(rows, np.int32)
        self._rows = np.arange(rows)

    def mention(self, old: NDArray[np.int32]) -> None:
        """Give names (not to 0) that have none a new one."""
        new = (old > 0) & (self.names[self._rows, old] == 0)
        self._given += new
        self.names[self._rows[new], old[new]] = self._given[new]

    def new(self, old: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the new names of old ones."""
        names: NDArray[np.int32] = self.names[self._rows, old]
        return names

    def slot_of(self, name: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Return the old slot that has a new name, and where there is one."""
        found = self.names[:, 1:] == name
        return found.argmax(axis=1), found.any(axis=1)


def _least(one: Keys, other: Keys) -> Keys:
    """Return for each state the lesser of two keys, first word first."""
    less = np.zeros(len(one), bool)
    equal = np.ones(len(one), bool)
    for word in range(one.shape[1]):
        less |= equal & (other[:, word] < one[:, word])
        equal &= other[:, word] == one[:, word]
    return np.where(less[:, None], other, one)


__all__ = ["Keys", "Names", "UnacceptableError"]
