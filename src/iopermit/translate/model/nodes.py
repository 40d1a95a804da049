"""The nodes of the intermediate form: typed fields, expressions, and the statements of a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RecordName = str
"""``task``, ``cpu``, ``tss``, ``globals``, or the name of a heap class."""

FieldKind = Literal["bool", "int", "enum", "ref", "counter", "bitmap", "result"]
"""What the values of a field are: a pointer is a ``ref``, a sequence number a ``counter``."""
Operator = Literal["add", "sub", "and", "or", "xor", "shl", "shr", "eq", "ne", "lt", "le"]

FREE, USER, KERNEL_THREAD, EMBRYO, DEAD, STOPPED = range(6)
"""Values of a task's ``pc`` that are no step: a free slot, user mode, a kernel thread between
two events, a child being forked, an exited task that waits to be switched out, and a task that
waits in user mode and cannot be run while another one reads what it has."""

FIRST_STEP = 6
"""Value of ``pc`` of the first step; a CPU's ``pc`` of 0 means that it is not switching, and not
coming up."""


@dataclass(frozen=True)
class Field:
    """A field of a record: ``width`` bits; a reference is stored as slot + 1, NULL as 0."""

    record: RecordName
    name: str
    width: int
    kind: FieldKind = "int"
    target: RecordName = ""
    low: int = 0
    high: int = 0
    local: bool = False
    """Whether it is a local variable of a kernel function, zero while it is dead."""
    declared: bool = False
    """Whether the design declares it (so that fork's structure copy copies it)."""

    def __hash__(self) -> int:
        """Hash the name alone, which no other field of the record has: fields are in many sets."""
        return hash((self.record, self.name))


BLAME = "blame"
"""The field of a CPU that remembers the last statement that wrote what it consults (blame.py)."""


# Expressions: pure, on unsigned integers.


@dataclass(frozen=True)
class Const:
    """A number."""

    value: int


@dataclass(frozen=True)
class StepNumber(Const):
    """The label of a step, to be stored as a ``pc``; a plain number once steps are numbered."""


@dataclass(frozen=True)
class StepParameter:
    """Which CPU, or which task, executes the step; ``choice`` numbers its outcomes."""

    name: Literal["cpu", "task", "choice"]


@dataclass(frozen=True)
class Temp:
    """A value computed earlier in the same step."""

    name: str


@dataclass(frozen=True)
class Load:
    """The value of a field of one record."""

    field: Field
    index: Expr


@dataclass(frozen=True)
class Binary:
    """An operation on two values; comparisons give 0 or 1."""

    op: Operator
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Mask:
    """A bit mask over the slots of a pool (bit = slot), or over counter values (bit = value).

    ``free``: slots not in use; ``referenced``: slots that some field refers to; ``available``:
    slots that are free or that no field refers to; ``counters``: counter values that some field
    holds.
    """

    what: Literal["free", "referenced", "available", "counters"]
    record: RecordName = ""


@dataclass(frozen=True)
class Select:
    """``yes`` if the condition is not 0, else ``no``; both are evaluated."""

    condition: Expr
    yes: Expr
    no: Expr


@dataclass(frozen=True)
class Unshared:
    """Whether no record but those of the ``owners`` (task slots) refers to a heap object."""

    record: RecordName
    reference: Expr
    owners: tuple[Expr, ...]


ALWAYS, NEVER = Const(1), Const(0)
"""The two truth values."""
CPU, TASK, CHOICE = StepParameter("cpu"), StepParameter("task"), StepParameter("choice")

Expr = Const | StepParameter | Temp | Load | Binary | Mask | Select | Unshared


VERDICT, CONCERNED_CPU, CONCERNED_LONGS = Temp("verdict"), Temp("cpu"), Temp("longs")
"""What the check of the specification finds: one of VERDICTS, and where."""


# Statements of a step, executed in order without interruption.


@dataclass(frozen=True)
class Let:
    """Compute a value for the rest of the step."""

    temp: Temp
    value: Expr


@dataclass(frozen=True)
class Store:
    """Write a field of one record."""

    field: Field
    index: Expr
    value: Expr


NO_VIOLATION, CRASH, NO_ROOM, LOSS, LEAK, GARBAGE, LIVELOCK = range(7)
VERDICTS = ("none", "crash", "no-room", "loss", "leak", "garbage", "livelock")
"""Names of the values of ``verdict``. A step can find those up to LEAK.

A livelock is a row of refusals that is to be continued: if it never ends, it is a loss."""
VIOLATIONS = frozenset(VERDICTS) - {"none", "no-room"}
"""What the specification forbids. That the model has no room for an object says nothing."""


@dataclass(frozen=True)
class Check:
    """Crash if ``bad`` is not 0, or end with another verdict (see VERDICTS)."""

    bad: Expr
    message: str
    verdict: int = CRASH


@dataclass(frozen=True)
class If:
    """Execute one of two lists of statements."""

    condition: Expr
    then: tuple[Stmt, ...]
    otherwise: tuple[Stmt, ...] = ()


@dataclass(frozen=True)
class Goto:
    """End the step; the context continues at another step (or at USER, DEAD, ...)."""

    target: int


@dataclass(frozen=True)
class Clear:
    """Zero every field of a record: its slot is free."""

    record: RecordName
    index: Expr


Stmt = Let | Store | Check | If | Goto | Clear
