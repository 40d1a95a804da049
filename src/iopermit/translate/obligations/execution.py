"""Executes the steps of a model on states whose values are terms of a solver."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import z3

from iopermit.translate.model.nodes import (
    FREE,
    NO_ROOM,
    Binary,
    Check,
    Clear,
    Const,
    Expr,
    Field,
    Goto,
    If,
    Let,
    Load,
    Mask,
    Select,
    StepParameter,
    Stmt,
    Store,
    Temp,
    Unshared,
)
from iopermit.translate.obligations.values import (
    BITS,
    Truth,
    Value,
    alike,
    choice,
    conjunction,
    disjunction,
    negation,
    operation,
    truth,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iopermit.translate.model.model import Model
    from iopermit.translate.model.nodes import RecordName

Place = tuple[Field, int]
"""A field of a slot."""


@functools.cache
def term(declared: Field, slot: int) -> tuple[Value, tuple[Truth, ...]]:
    """Return the term of a place, and that it is within the range of its field."""
    term = z3.BitVec(f"{declared.record}[{slot}].{declared.name}", BITS)
    ranges = [z3.ULT(term, 1 << declared.width)]
    if declared.high:
        ranges.append(z3.ULE(term, declared.high))
    return term, tuple(ranges)


class Variables:
    """The terms that stand for an arbitrary state in which some places are fixed."""

    def __init__(self, fixed: Mapping[Place, int]) -> None:
        """Use terms for all that is not ``fixed``."""
        self.fixed = fixed
        self._used: dict[Place, None] = {}

    @property
    def ranges(self) -> list[Truth]:
        """That every term used so far is within the range of its field."""
        return [fact for place in self._used for fact in term(*place)[1]]

    def __getitem__(self, place: Place) -> Value:
        """Return the value of a place."""
        known = self.fixed.get(place)
        if known is not None:
            return known
        self._used[place] = None
        return term(*place)[0]


@dataclass(frozen=True)
class SymbolicState:
    """An arbitrary state with some values changed."""

    variables: Variables
    changed: Mapping[Place, Value] = field(default_factory=dict)

    def __getitem__(self, place: Place) -> Value:
        """Return the value of a place."""
        known = self.changed.get(place)
        return self.variables[place] if known is None else known

    def with_values(self, values: Mapping[Place, Value]) -> SymbolicState:
        """Return the state with further values changed."""
        return SymbolicState(self.variables, {**self.changed, **values})


@dataclass(frozen=True)
class Context:
    """What executes a step: the slots of its CPU and task, and what it draws."""

    cpu: int
    task: int
    label: str
    """Tells its draws (of slots, of sequence numbers) from those of others."""
    slot: Value = None
    """The slot that an allocation draws, if it is not arbitrary."""

    def parameter(self, name: str) -> Value:
        """Return the value of a parameter of steps."""
        if name == "choice":
            return z3.BitVec(f"{self.label}: slot", BITS) if self.slot is None else self.slot
        return self.cpu if name == "cpu" else self.task

    def held_numbers(self) -> Value:
        """Return the mask of sequence numbers that it finds held: which are, does not matter."""
        return z3.BitVec(f"{self.label}: held numbers", BITS)


@dataclass(frozen=True)
class SymbolicOutcome:
    """One way in which a body ends: under a condition, with a state, at a target or failed."""

    when: Truth
    state: SymbolicState
    target: int | None = None
    failed: bool = False


@dataclass(frozen=True)
class HeapWrite:
    """A write to a field of an object on the heap."""

    when: Truth
    field: Field
    slot: Value


class Execution:
    """Executes bodies in one context; notes which places were read and written."""

    def __init__(self, model: Model, context: Context) -> None:
        """Begin with nothing touched."""
        self.model, self.context = model, context
        self.read: set[Place] = set()
        self.written: set[Place] = set()
        self.heap_writes: list[HeapWrite] = []
        self._when: Truth = True

    def run(self, body: tuple[Stmt, ...], state: SymbolicState) -> list[SymbolicOutcome]:
        """Return every way in which the body can end."""
        return [
            o
            for o in self._run(body, SymbolicOutcome(when=True, state=state), {})
            if o.when is not False
        ]

    def computed(self, body: tuple[Stmt, ...], state: SymbolicState) -> Mapping[Temp, Value]:
        """Return what a body that neither ends nor fails computes."""
        temps: dict[Temp, Value] = {}
        list(self._run(body, SymbolicOutcome(when=True, state=state), temps))
        return temps

    # Statements.

    def _run(
        self, body: tuple[Stmt, ...], at: SymbolicOutcome, temps: dict[Temp, Value]
    ) -> Iterator[SymbolicOutcome]:
        for number, statement in enumerate(body):
            match statement:
                case Goto(target):
                    yield replace(at, target=target)
                    return
                case Check(bad, _, verdict):
                    fails = truth(self.value(bad, at.state, temps))
                    if verdict != NO_ROOM:
                        yield replace(at, when=conjunction(at.when, fails), failed=True)
                    at = replace(at, when=conjunction(at.when, negation(fails)))
                case If(condition, then, otherwise) if _ends(statement):
                    taken = truth(self.value(condition, at.state, temps))
                    rest = body[number + 1 :]
                    for branch, when in ((then, taken), (otherwise, negation(taken))):
                        under = replace(at, when=conjunction(at.when, when))
                        if under.when is not False:
                            yield from self._run((*branch, *rest), under, dict(temps))
                    return
                case _:
                    self._when = at.when
                    at = replace(at, state=self._effect(statement, at.state, temps))
        yield at

    def _effect(
        self, statement: Stmt, state: SymbolicState, temps: dict[Temp, Value]
    ) -> SymbolicState:
        match statement:
            case Let(temp, value):
                temps[temp] = self.value(value, state, temps)
            case Store(declared, index, value):
                stored = self.value(value, state, temps)
                slot = self.value(index, state, temps)
                return state.with_values(self._stored(declared, slot, stored, state))
            case Clear(record, index):
                slot = self.value(index, state, temps)
                for declared in self.model.fields_of(record):
                    state = state.with_values(self._stored(declared, slot, 0, state))
            case If(condition, then, otherwise):
                taken = truth(self.value(condition, state, temps))
                return self._joined(taken, (then, otherwise), state, temps)
        return state

    def _joined(
        self,
        taken: Truth,
        branches: tuple[tuple[Stmt, ...], tuple[Stmt, ...]],
        state: SymbolicState,
        temps: dict[Temp, Value],
    ) -> SymbolicState:
        """Execute both branches, neither of which ends the step, and join what comes of them."""
        ends: list[tuple[SymbolicState, dict[Temp, Value]]] = []
        outer = self._when
        for branch, when in zip(branches, (taken, negation(taken)), strict=True):
            after, known = state, dict(temps)
            for statement in branch:
                self._when = conjunction(outer, when)
                after = self._effect(statement, after, known)
            ends.append((after, known))
        self._when = outer
        (yes, knew), (no, known) = ends
        places = yes.changed.keys() | no.changed.keys()
        for temp in knew.keys() & known.keys():
            temps[temp] = choice(taken, knew[temp], known[temp])
        return state.with_values({p: choice(taken, yes[p], no[p]) for p in places})

    def _stored(
        self, declared: Field, slot: Value, value: Value, state: SymbolicState
    ) -> dict[Place, Value]:
        found = {}
        if declared.record in self.model.heap:
            self.heap_writes.append(HeapWrite(self._when, declared, slot))
        for number in self._slots(declared.record, slot):
            place = (declared, number)
            self.written.add(place)
            found[place] = choice(alike(slot, number), value, state[place])
        return found

    # Expressions.

    def value(  # noqa: PLR0911 - one per kind of expression
        self, expr: Expr, state: SymbolicState, temps: Mapping[Temp, Value] | None = None
    ) -> Value:
        """Return the value of an expression in a state."""
        temps = temps or {}
        match expr:
            case Const(number):
                return number
            case StepParameter(name):
                return self.context.parameter(name)
            case Temp():
                return temps[expr]
            case Load(declared, index):
                return self._load(declared, self.value(index, state, temps), state)
            case Binary(op, left, right):
                return operation(
                    op, self.value(left, state, temps), self.value(right, state, temps)
                )
            case Select(condition, yes, no):
                taken = truth(self.value(condition, state, temps))
                return choice(taken, self.value(yes, state, temps), self.value(no, state, temps))
            case Mask(what, record):
                return self._mask(what, record, state)
            case Unshared():
                return self._unshared(expr, state, temps)

    def _slots(self, record: RecordName, slot: Value) -> range | tuple[int, ...]:
        return (slot,) if isinstance(slot, int) else range(self.model.counts[record])

    def _load(self, declared: Field, slot: Value, state: SymbolicState) -> Value:
        value: Value = 0
        for number in self._slots(declared.record, slot):
            self.read.add((declared, number))
            value = choice(alike(slot, number), state[declared, number], value)
        return value

    def _holders(self, record: RecordName) -> Iterator[Place]:
        """Yield every place that can hold a pointer to a record."""
        for declared in self.model.fields:
            if declared.kind == "ref" and declared.target == record:
                for slot in range(self.model.counts[declared.record]):
                    self.read.add((declared, slot))
                    yield declared, slot

    def _mask(self, what: str, record: RecordName, state: SymbolicState) -> Value:
        if what == "counters":
            return self.context.held_numbers()
        slots = self.model.tasks if record == "task" else self.model.counts[record]
        parts: list[Value] = [0]
        for slot in range(slots):
            held = disjunction(*(alike(state[h], slot + 1) for h in self._holders(record)))
            free = self._is_free(record, slot, state)
            present = {
                "free": free,
                "referenced": held,
                "available": disjunction(free, negation(held)),
            }[what]
            parts.append(choice(present, 1 << slot, 0))
        total = parts[0]
        for part in parts[1:]:
            total = operation("or", total, part)
        return total

    def _is_free(self, record: RecordName, slot: int, state: SymbolicState) -> Truth:
        task = record == "task"
        declared = self.model.kernel.task_pc if task else self.model.field(record, "in_use")
        self.read.add((declared, slot))
        return alike(state[declared, slot], FREE if task else 0)

    def _unshared(self, expr: Unshared, state: SymbolicState, temps: Mapping[Temp, Value]) -> Value:
        reference = self.value(expr.reference, state, temps)
        owners = [self.value(owner, state, temps) for owner in expr.owners]
        return choice(self.is_unshared(expr.record, reference, owners, state), 1, 0)

    def is_unshared(
        self, record: RecordName, reference: Value, owners: list[Value], state: SymbolicState
    ) -> Truth:
        """Return whether nothing but the owners refers to an object."""
        apart: list[Truth] = []
        for declared, slot in self._holders(record):
            mine = [alike(o, slot) for o in owners] if declared.record == "task" else []
            other = negation(alike(state[declared, slot], reference))
            apart.append(disjunction(other, *mine))
        return conjunction(*apart)


def _ends(statement: If) -> bool:
    """Return whether a branch of a conditional ends the step, or can fail."""
    return any(
        isinstance(s, Goto | Check) or (isinstance(s, If) and _ends(s))
        for branch in (statement.then, statement.otherwise)
        for s in branch
    )
