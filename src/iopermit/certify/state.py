"""The states of a scenario as a table: a row for each state, a column for each field of a slot."""

from __future__ import annotations

import enum
import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from iopermit.certify.errors import Refuted, UnacceptableError
from iopermit.system.bitmap import Bitmap
from iopermit.system.events import Event
from iopermit.system.machine_state import Tss
from iopermit.system.records import (
    MAX_REFCOUNT,
    CounterUnit,
    FieldDeclaration,
    HeapObject,
    LongsUnit,
    Range,
    Record,
    RefcountUnit,
    Reference,
    declared_fields,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iopermit.system.design import Design
    from iopermit.system.scenario import Scenario

Table: TypeAlias = NDArray[np.int32]
Rows: TypeAlias = NDArray[np.intp]
Numbers: TypeAlias = Any
"""One number for each row that is looked at (an array), or the same for all of them (an int)."""
Read: TypeAlias = "Callable[[Batch, Rows], Numbers]"

FREE, USER, THREAD, EMBRYO, DEAD, HALTED = range(6)
"""Where a task is that is not before a step: its slot is free, it executes user code, it is a
kernel thread between two events, a child being forked, it exited and is still current, or it was
halted where it waited in user mode, for another task to look at it."""
FIRST_POINT: Final = 6
"""The number of the first point of kernel code. A CPU that is not switching is at 0."""


@dataclass(eq=False)
class Column:
    """A field of a record, or a local variable of a task's or CPU's kernel code.

    References are slot + 1 (NULL is 0), a bitmap has a bit for each long that is denied.
    """

    record: str
    name: str
    kind: str
    """bool, int, longs, enum, result, counter, bitmap or ref."""
    target: str = ""
    """The record that a reference refers to."""
    low: int = 0
    high: int | None = None
    """The range whose violation is a crash; None: any."""
    default: int = 0
    declared: bool = False
    """Whether the design declares it, so that fork copies it."""
    local: bool = False
    offset: int = 0
    """The column in slot 0; each further slot adds ``stride``."""
    stride: int = 0

    def at(self, slot: int) -> int:
        """Return the column in a slot."""
        return self.offset + slot * self.stride


class Layout:
    """All columns of a design in a scenario."""

    def __init__(self, design: type[Design], scenario: Scenario) -> None:
        """Declare what the design declares, and what the environment remembers."""
        self.design, self.scenario = design, scenario
        records: dict[str, type[Record]] = {
            "globals": design.Globals, "cpu": design.Cpu, "tss": design.Tss, "task": design.Task,
        }  # fmt: skip
        self.heap = _heap_classes(records.values())
        self.records = records | {cls.__name__: cls for cls in self.heap}
        tasks, cpus = scenario.tasks, scenario.cpus
        self.counts = {"globals": 1, "cpu": cpus, "tss": cpus, "task": tasks + cpus}
        # A task needs its map, and one more while it replaces that.
        self.counts |= {cls.__name__: 2 * tasks for cls in self.heap}
        self.columns: dict[tuple[str, str], Column] = {}
        for record, cls in self.records.items():
            for declaration in declared_fields(cls):
                if not (inspect.isclass(declaration.type) and issubclass(declaration.type, Tss)):
                    self._add(self._declared(record, declaration))
        for name in ("following", "at"):
            self._add(Column("cpu", name, "ref" if name == "following" else "int", "task"))
        for name in ("at", "granted", "granted_iopl"):
            self._add(Column("task", name, "int"))
        if not scenario.has(Event.MIGRATE):
            self._add(Column("task", "home", "int"))
        for cls in self.heap:
            self._add(Column(cls.__name__, "in_use", "bool"))
        self.variables: list[Column] = []
        self._groups: dict[str, str] = {}
        self.bases: dict[str, int] = {}
        self.strides: dict[str, int] = {}
        self.width = 0

    def __getitem__(self, key: tuple[str, str]) -> Column:
        """Return the column of a record and name."""
        return self.columns[key]

    def in_use(self, record: str) -> Column | None:
        """Return the column that says which slots of a heap class are taken; None for others.

        A record of another kind may have a field of that name, which is the design's own.
        """
        heap = any(cls.__name__ == record for cls in self.heap)
        return self.columns[record, "in_use"] if heap else None

    @property
    def every(self) -> list[Column]:
        """All fields and local variables."""
        return [*self.columns.values(), *self.variables]

    def _add(self, column: Column) -> None:
        self.columns[column.record, column.name] = column

    def _declared(self, record: str, declaration: FieldDeclaration) -> Column:
        name, cls = declaration.name, declaration.type
        number = getattr(declaration.default, "value", declaration.default)
        column = Column(record, name, "int", default=int(number or 0), declared=True)
        if cls is Bitmap:
            column.kind = "bitmap"
        elif cls is bool:
            column.kind = "bool"
        elif inspect.isclass(cls) and issubclass(cls, enum.Enum):
            column.kind = "enum"
        match declaration.marker:
            case Reference():
                column.kind, column.target = "ref", self._record_of(cls)
            case LongsUnit():
                column.kind, column.high = "longs", self.scenario.longs
            case RefcountUnit():
                column.high = MAX_REFCOUNT
            case Range(low, high):
                column.low, column.high = low, high
            case CounterUnit():
                column.kind = "counter"
        return column

    def _record_of(self, cls: type) -> str:
        for record, known in self.records.items():
            if issubclass(known, cls) or issubclass(cls, known):
                return record
        raise UnacceptableError(f"a field refers to {cls.__name__}, which is no record")

    def count_refusals(self) -> None:
        """Let each task have a count of the refusals in a row that a #GP handler did not end."""
        self._add(Column("task", "refusals", "int"))

    def place(self, variables: Iterable[Column], together: Iterable[set[str]]) -> None:
        """Give every column its place; variables of hooks share those of their kind.

        The variables of hooks in the same set of ``together`` can be in use at the same time.
        """
        self.variables = list(variables)
        self._groups = _joined(together)
        for record, count in self.counts.items():
            self.bases[record] = self.width
            own = [c for c in self.columns.values() if c.record == record]
            for number, column in enumerate(own):
                column.offset = self.width + number
            stride = len(own) + self._place_variables(record, self.width + len(own))
            self.strides[record] = stride
            self.width += stride * count
        for column in self.every:
            column.stride = self.strides[column.record]

    def _place_variables(self, record: str, first: int) -> int:
        """Place the variables; return how many columns they take."""
        zones: dict[tuple[str, str], dict[str, list[Column]]] = {}
        for column in (v for v in self.variables if v.record == record):
            kind = column.kind if column.kind in ("ref", "counter", "result") else "int"
            hook = column.name.partition(".")[0]
            group = self._groups.get(hook, hook)
            zones.setdefault((kind, column.target), {}).setdefault(group, []).append(column)
        taken = 0
        for of_hooks in zones.values():
            for columns in of_hooks.values():
                for number, column in enumerate(columns):
                    column.offset = first + taken + number
            taken += max(map(len, of_hooks.values()))
        return taken

    def places(self, kind: str, target: str = "") -> list[int]:
        """Return the distinct columns, of all slots, that hold values of a kind."""
        wanted = (c for c in self.every if (c.kind, c.target) == (kind, target))
        return list(dict.fromkeys(c.at(s) for c in wanted for s in range(self.counts[c.record])))

    def block(self, record: str, slot: int) -> slice:
        """Return the columns of one slot."""
        first = self.bases[record] + slot * self.strides[record]
        return slice(first, first + self.strides[record])


def _joined(together: Iterable[set[str]]) -> dict[str, str]:
    """Return for each name one that stands for all which are together with it, if indirectly."""
    groups: dict[str, str] = {}
    for names in together:
        joined = {groups.get(name, name) for name in names}
        groups |= dict.fromkeys(names, min(names))
        groups = {k: min(names) if v in joined else v for k, v in groups.items()}
    return groups


def _heap_classes(records: Iterable[type[Record]]) -> list[type[HeapObject]]:
    found: list[type[HeapObject]] = []
    waiting = list(records)
    while waiting:
        for declaration in declared_fields(waiting.pop(0)):
            cls = declaration.type
            if inspect.isclass(cls) and issubclass(cls, HeapObject) and cls not in found:
                found.append(cls)
                waiting.append(cls)
    return found


class Batch:
    """States in which the same CPU is about to execute the same step, or meets the same event."""

    def __init__(self, table: Table, cpu: int, task: NDArray[np.int32], members: Rows) -> None:
        """Take a copy of rows; ``task`` has the slots of the tasks that are current on ``cpu``."""
        self.table, self.cpu, self.task, self.members = table, cpu, task, members
        self.rows: Rows = np.arange(len(table))
        self.choice = 0
        """The slot that an allocation gets; one beyond the last: it fails."""

    def own(self, record: str) -> Numbers:
        """Return the slot of the CPU, or those of the tasks, whose code is executed."""
        return self.cpu if record == "cpu" else self.task

    def load(self, column: Column, slot: Numbers, rows: Rows) -> Numbers:
        """Read a field of one slot in each of some rows."""
        return self.table[rows, column.offset + slot * column.stride]

    def store(self, column: Column, slot: Numbers, rows: Rows, value: Numbers) -> None:
        """Write a field; a value outside of its declared range is a crash."""
        if column.high is not None:
            bad = (value < column.low) | (value > column.high)
            self.refuse(bad, rows, f"value out of range: {column.name}")
        self.table[rows, column.offset + slot * column.stride] = value

    def get(self, column: Column) -> Numbers:
        """Read a field of the own CPU or task in every row."""
        return self.load(column, self.own(column.record), self.rows)

    def put(self, column: Column, value: Numbers) -> None:
        """Write a field of the own CPU or task in every row."""
        self.store(column, self.own(column.record), self.rows, value)

    def clear(self, layout: Layout, record: str, slot: Numbers, rows: Rows) -> None:
        """Set every field of a slot to zero: it is free."""
        stride = layout.strides[record]
        first = layout.bases[record] + slot * stride
        for offset in range(stride):
            self.table[rows, first + offset] = 0

    def refuse(self, bad: Numbers, rows: Rows, message: str) -> None:
        """Raise Refuted if something is wrong in one of the rows."""
        wrong = np.broadcast_to(bad, rows.shape)
        if wrong.any():
            raise Refuted(message, int(self.members[rows[int(np.argmax(wrong))]]))
