"""Reads the states of a certificate into a table, by what its header says about each field."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from iopermit.certify.errors import UnacceptableError
from iopermit.certify.state import FIRST_POINT, FREE, THREAD, Column, Table

if TYPE_CHECKING:
    from iopermit.certify.kernel import Kernel
    from iopermit.engine.certificate import Header, StoredField

Stored = NDArray[np.uint64]
_WORD = 64
_VALUE = 31
"""Bits of a value in a table."""


class Members:
    """Decodes stored states."""

    def __init__(self, header: Header, kernel: Kernel) -> None:
        """Match the header with the kernel's fields, variables and points.

        Raises:
            UnacceptableError: it describes something that the design does not have.
        """
        self.header, self.kernel, self.layout = header, kernel, kernel.layout
        self._points = self._numbers()
        known = {(c.record, c.name): c for c in self.layout.every}
        self._fields: list[tuple[Column, StoredField]] = []
        named = set()
        for stored in header.fields:
            column = known.get((stored.record, stored.name))
            if column is None and "." in stored.name:
                continue  # a variable that nothing reads
            self._check(stored, column)
            named.add((stored.record, stored.name))
            if column is not None:
                self._fields.append((column, stored))
        read = frozenset().union(*kernel.live.values())
        missing = {key for key, c in known.items() if not c.local or c in read} - named
        # A CPU is brought up before everything else: no state stands there.
        missing = {key for key in missing if not key[1].startswith("bring_up.")}
        if missing:
            record, name = min(missing)
            raise UnacceptableError(f"the field {name} of {record} is not in the certificate")

    def _check(self, stored: StoredField, column: Column | None) -> None:
        what = f"the field {stored.name} of {stored.record}"
        if column is None:
            raise UnacceptableError(f"{what} is unknown; the certificate is of another design")
        slots = self.layout.counts[stored.record]
        ends = [offset + stored.width for offset in stored.offsets if offset >= 0]
        fits = all(end <= self.header.words * _WORD for end in ends)
        if len(stored.offsets) != slots or not 0 < stored.width <= _VALUE or not fits:
            raise UnacceptableError(f"{what} cannot be where the certificate says")

    def _numbers(self) -> NDArray[np.int32]:
        """Return the number of the point for each position of the certificate; -1: none."""
        mine = {step.position: number for number, step in self.kernel.steps.items()}
        most = max((p.number for p in self.header.positions), default=0)
        if most >= 1 << 20 or any(p.number < FIRST_POINT for p in self.header.positions):
            raise UnacceptableError("the positions of the certificate have impossible numbers")
        points = np.full(max(most + 1, FIRST_POINT), -1, np.int32)
        points[FREE:FIRST_POINT] = range(FREE, FIRST_POINT)
        for position in self.header.positions:
            points[position.number] = mine.get((position.path, position.part), -1)
        return points

    @property
    def widths(self) -> dict[int, int]:
        """How many bits the values of each column of the table have."""
        widths: dict[int, int] = {}
        for column, stored in self._fields:
            width = stored.width
            if column.name == "at":
                width = int(max(self.kernel.steps, default=FIRST_POINT)).bit_length()
            for slot in range(self.layout.counts[column.record]):
                place = column.at(slot)
                widths[place] = max(width, widths.get(place, 0))
        return widths

    def table(self, states: Stored) -> Table:
        """Return stored states as a table, local variables only where they are live.

        Raises:
            UnacceptableError: a state has a position or a reference that cannot be.
        """
        result = np.zeros((len(states), self.layout.width), np.int32)
        order = sorted(self._fields, key=lambda pair: pair[0].local)
        for column, stored in order:
            for slot, offset in enumerate(stored.offsets):
                if column.name == "home" and slot >= self.header.tasks:
                    continue  # an idle task has no other place to be
                values = self._values(column, stored.width, offset, states)
                if column.name == "at":
                    values = self._at(values)
                if column.local:
                    values = np.where(self._live(result, column, slot), values, 0)
                    result[:, column.at(slot)] += values
                else:
                    result[:, column.at(slot)] = values
        self._check_references(result)
        return result

    def _values(self, column: Column, width: int, offset: int, states: Stored) -> NDArray[np.int32]:
        if offset < 0:
            default = THREAD if column.name == "at" else column.default
            return np.full(len(states), default, np.int32)
        word, shift = divmod(offset, _WORD)
        values = states[:, word] >> np.uint64(shift)
        if shift + width > _WORD:
            values = values | states[:, word + 1] << np.uint64(_WORD - shift)
        found = (values & np.uint64((1 << width) - 1)).astype(np.int32)
        return -found if column.kind == "result" else found

    def _at(self, values: NDArray[np.int32]) -> NDArray[np.int32]:
        if values.max(initial=0) >= len(self._points):
            raise UnacceptableError("a state has a position that the certificate does not name")
        found: NDArray[np.int32] = self._points[values]
        if found.min(initial=0) < 0:
            raise UnacceptableError(
                "a state stands at a position that the design does not have; "
                "the certificate is of another design"
            )
        return found

    def _live(self, table: Table, column: Column, slot: int) -> NDArray[np.bool_]:
        points = [n for n, live in self.kernel.live.items() if column in live]
        return np.isin(table[:, self.layout[column.record, "at"].at(slot)], points)

    def _check_references(self, table: Table) -> None:
        for record, count in self.layout.counts.items():
            columns = self.layout.places("ref", record)
            if columns and table[:, columns].max(initial=0) > count:
                raise UnacceptableError(f"a state refers to a {record} that there is not")
        current = [self.layout["cpu", "current"].at(c) for c in range(self.header.cpus)]
        if (table[:, current] < 1).any():
            raise UnacceptableError("a state has a CPU without a current task")
