"""The intermediate form of a design: typed fields, atomic steps, guarded rules.

A step is a short straight program over fields of records: it reads, checks, stores and then
goes on to another step. Native code and Promela are both printed from this form.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iopermit.system.site import Site

RecordName = str
"""``task``, ``cpu``, ``tss``, ``globals``, or the name of a heap class."""

FREE, USER, KERNEL_THREAD, EMBRYO, DEAD = range(5)
"""Values of a task's ``pc`` that are no step: a free slot, user mode, a kernel thread between
two events, a child being forked, an exited task that waits to be switched out."""

FIRST_STEP = 5
"""Value of ``pc`` of the first step; a CPU's ``pc`` of 0 means that it is not switching."""


@dataclass(frozen=True)
class Field:
    """A field of a record: ``width`` bits; a reference is stored as slot + 1, NULL as 0."""

    record: RecordName
    name: str
    width: int
    kind: Literal["bool", "int", "enum", "ref", "counter", "bitmap"] = "int"
    target: RecordName = ""
    low: int = 0
    high: int = 0
    local: bool = False
    """Whether it is a local variable of a kernel function, zero while it is dead."""
    declared: bool = False
    """Whether the design declares it (so that fork's structure copy copies it)."""


# Expressions: pure, on unsigned integers.


@dataclass(frozen=True)
class Const:
    """A number."""

    value: int


@dataclass(frozen=True)
class Context:
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

    op: Literal["add", "sub", "and", "or", "xor", "shl", "shr", "eq", "ne", "lt", "le"]
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


Expr = Const | Context | Temp | Load | Binary | Mask | Select | Unshared


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


NO_VIOLATION, CRASH, NO_ROOM, LOSS, LEAK, GARBAGE = range(6)
VERDICTS = ("none", "crash", "no-room", "loss", "leak", "garbage")
"""Names of the values of ``verdict``. A step can find those up to LOSS, which fit into two bits."""
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


@dataclass
class Step:
    """One atomic action of a context, and what may happen before it."""

    pc: int
    context: Literal["task", "cpu"]
    site: Site | None
    """The design statement, or None for a step of the environment."""
    body: tuple[Stmt, ...] = ()
    label: str = ""
    """What it does, for steps of the environment and the parts of bulk operations."""
    preemption_off: bool = False
    calls: tuple[Site, ...] = ()
    """The call statements that led here, outermost first."""
    choices: int = 1
    """How many outcomes it may have: 1, or one per heap slot plus failure."""
    guard: Expr = Const(1)
    """Whether the outcome ``choice`` is possible."""


@dataclass(frozen=True)
class Rule:
    """An event that can happen on a CPU: a guard and an effect, executed atomically."""

    event: str
    """Name of the event on the command line, or ``switch``."""
    guard: Expr
    body: tuple[Stmt, ...]
    arguments: tuple[tuple[str, int], ...] = ()
    """Arguments for reports and for replay, e.g. first and end long."""
    starts: int = 0
    """The pc of the first step that it starts, if any."""


@dataclass
class Model:
    """A design with its environment, in a scenario."""

    counts: dict[RecordName, int]
    """Number of slots of each record."""
    tasks: int
    """Task slots 0..tasks-1 are tasks; one idle task per CPU follows."""
    fields: list[Field] = field(default_factory=list)
    steps: dict[int, Step] = field(default_factory=dict)
    user_rules: list[Rule] = field(default_factory=list)
    thread_rules: list[Rule] = field(default_factory=list)
    """Rules for user mode, and for kernel threads between two events."""
    switch_rules: list[Rule] = field(default_factory=list)
    """Rules by which the scheduler takes the CPU away from the current task."""
    judge: tuple[Stmt, ...] = ()
    """Sets the temps ``verdict`` (see VERDICTS), ``cpu`` and ``longs``."""
    heap: tuple[RecordName, ...] = ()
    preemption: bool = True
    """Whether kernel code can be preempted."""
    sites: tuple[Site, ...] = ()
    """Design statements by number (from 1) where CPUs remember them (see blame.py)."""
    live: dict[int, frozenset[Field]] = field(default_factory=dict)
    """For each step the local variables that may still be read."""
    together: list[frozenset[Field]] = field(default_factory=list)
    """Sets of local variables that need room at the same time."""
    idle: dict[str, int] = field(default_factory=dict)
    """Default values of the fields of an idle task that are not 0."""
    map_is_valid: Expr = Const(1)
    """Whether the processor consults the map of the context's CPU."""
    consulted: frozenset[Field] = frozenset()
    """Fields of CPU and TSS that decide about ports."""
    brought_up: dict[Field, int] = field(default_factory=dict)
    """Values of the fields of a TSS after ``bring_up``."""
    preemptible_end: int = FIRST_STEP
    """Steps below this one can be preempted; at the others preemption or interrupts are off."""
    exact_longs: int = 1
    """Longs from which on the model is exact: more than any number of real ones in the design."""

    @property
    def cpus_alike(self) -> bool:
        """Whether CPUs can be renamed: a task's home is a number, which renaming leaves alone."""
        return not any((f.record, f.name) == ("task", "home") for f in self.fields)

    def fields_of(self, record: RecordName) -> list[Field]:
        """Return the fields of a record in declaration order."""
        return [f for f in self.fields if f.record == record]

    def field(self, record: RecordName, name: str) -> Field:
        """Return one field by name."""
        return next(f for f in self.fields if f.record == record and f.name == name)


# Small constructors, so that rules read well.


def const(value: int) -> Const:
    """Return a constant; a truth value is 0 or 1."""
    return Const(int(value))


def binary(op: str, left: Expr, right: Expr) -> Expr:
    """Return ``left op right``, folded where both are constants."""
    if isinstance(left, Const) and isinstance(right, Const):
        return Const(_FOLD[op](left.value, right.value))
    return Binary(op, left, right)  # type: ignore[arg-type]  # the callers pass literals


_FOLD: dict[str, Callable[[int, int], int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b,
    "shr": lambda a, b: a >> b,
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
}


def equal(left: Expr, right: Expr | int) -> Expr:
    """Return whether both are equal."""
    return binary("eq", left, const(right) if isinstance(right, int) else right)


def differ(left: Expr, right: Expr | int) -> Expr:
    """Return whether both differ."""
    return binary("ne", left, const(right) if isinstance(right, int) else right)


def negate(value: Expr) -> Expr:
    """Return 1 if ``value`` is 0, else 0."""
    return equal(value, 0)


def every(*values: Expr) -> Expr:
    """Return the conjunction of truth values."""
    return _reduce("and", Const(1), values)


def either(*values: Expr) -> Expr:
    """Return the disjunction of truth values."""
    return _reduce("or", Const(0), values)


def _reduce(op: str, neutral: Const, values: tuple[Expr, ...]) -> Expr:
    rest = [value for value in values if value != neutral]
    result: Expr = rest[0] if rest else neutral
    for value in rest[1:]:
        result = binary(op, result, value)
    return result


def slot_of(reference: Expr) -> Expr:
    """Return the slot that a reference value refers to."""
    return binary("sub", reference, Const(1))


def bit_of(mask: Expr, index: Expr) -> Expr:
    """Return one bit of a mask."""
    return binary("and", binary("shr", mask, index), Const(1))


def candidate(free: Mask, slots: int, slot: Expr) -> Expr:
    """Return whether an allocator may hand out ``slot``.

    Free slots that something still refers to (address reuse), and the lowest free slot that
    nothing refers to: all others differ from that one only in name.
    """
    every_slot = Const((1 << slots) - 1)
    referenced = binary("and", Mask("referenced", free.record), every_slot)
    fresh = binary("and", free, binary("xor", referenced, every_slot))
    below = binary("sub", binary("shl", Const(1), slot), Const(1))
    lowest = equal(binary("and", fresh, below), 0)
    return binary("and", bit_of(free, slot), binary("or", bit_of(referenced, slot), lowest))


def free_slots(step: Step) -> Mask:
    """Return the slots that an allocation may take."""
    return next(
        e
        for e in subexpressions(step.guard)
        if isinstance(e, Mask) and e.what in ("free", "available")
    )


def statements(body: tuple[Stmt, ...]) -> Iterator[Stmt]:
    """Yield every statement of a body, including those inside conditionals."""
    for statement in body:
        yield statement
        if isinstance(statement, If):
            yield from statements(statement.then)
            yield from statements(statement.otherwise)


def expressions(body: tuple[Stmt, ...]) -> Iterator[Expr]:
    """Yield every expression and subexpression of a body."""
    for statement in statements(body):
        match statement:
            case Let(_, value):
                yield from subexpressions(value)
            case Store(_, index, value):
                yield from subexpressions(index)
                yield from subexpressions(value)
            case Check(value, _) | If(value):
                yield from subexpressions(value)
            case Clear(_, index):
                yield from subexpressions(index)


def subexpressions(value: Expr) -> Iterator[Expr]:
    """Yield an expression and all its parts."""
    yield value
    match value:
        case Load(_, index):
            yield from subexpressions(index)
        case Binary(_, left, right):
            yield from subexpressions(left)
            yield from subexpressions(right)
        case Select(condition, yes, no):
            for part in (condition, yes, no):
                yield from subexpressions(part)


def map_gotos(body: tuple[Stmt, ...], change: dict[int, int]) -> tuple[Stmt, ...]:
    """Return the body with the targets of all gotos renumbered."""
    result: list[Stmt] = []
    for statement in body:
        match statement:
            case Goto(target):
                result.append(Goto(change.get(target, target)))
            case If(_, then, otherwise):
                result.append(
                    replace(
                        statement,
                        then=map_gotos(then, change),
                        otherwise=map_gotos(otherwise, change),
                    )
                )
            case _:
                result.append(statement)
    return tuple(result)


def targets(body: tuple[Stmt, ...]) -> set[int]:
    """Return the steps that a body can go on to."""
    return {s.target for s in statements(body) if isinstance(s, Goto)}
