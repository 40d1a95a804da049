"""Executes steps on plain values: what a CPU does before anything else can happen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.model.builder import folded
from iopermit.translate.model.nodes import (
    FREE,
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
    RecordName,
    Select,
    StepParameter,
    Stmt,
    Store,
    Temp,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Values = dict[tuple[RecordName, str], list[int]]
"""The value of every field of every slot, by record and name."""


class FailedCheck(Exception):  # noqa: N818 - the step fails, not the program
    """A check of a step fails; the text says which."""


class Evaluation:
    """A state, and the steps executed on it one after the other."""

    def __init__(
        self, fields: Iterable[Field], values: Values, parameters: Mapping[str, int]
    ) -> None:
        """Work on ``values``; ``parameters`` are the slots of the contexts of steps."""
        self.fields, self.values = list(fields), values
        self.parameters = dict(parameters)
        self._temps: dict[Temp, int] = {}

    def execute(self, body: tuple[Stmt, ...]) -> int | None:
        """Execute statements; return the target of the goto that ends them, if one does.

        Raises FailedCheck.
        """
        for statement in body:
            match statement:
                case Goto(target):
                    return target
                case If(condition, then, otherwise):
                    reached = self.execute(then if self.value(condition) else otherwise)
                    if reached is not None:
                        return reached
                case _:
                    self._effect(statement)
        return None

    def _effect(self, statement: Let | Store | Check | Clear) -> None:
        match statement:
            case Let(temp, value):
                self._temps[temp] = self.value(value)
            case Store(field, index, value):
                stored = self.value(value) & (1 << field.width) - 1
                self.values[field.record, field.name][self.value(index)] = stored
            case Check(bad, message, _):
                if self.value(bad):
                    raise FailedCheck(message)
            case Clear(record, index):
                for field in self.fields:
                    if field.record == record:
                        self.values[record, field.name][self.value(index)] = 0

    def value(self, expr: Expr) -> int:  # noqa: PLR0911 - one per kind of expression
        """Return the value of an expression.

        Raises ValueError for one that only code made for the search has.
        """
        match expr:
            case Const(number):
                return number
            case StepParameter(name):
                return self.parameters[name]
            case Temp():
                return self._temps[expr]
            case Load(field, index):
                return self.values[field.record, field.name][self.value(index)]
            case Binary(op, left, right):
                return folded(op, self.value(left), self.value(right))
            case Select(condition, yes, no):
                return self.value(yes if self.value(condition) else no)
            case Mask(what, record):
                return self._mask(what, record)
        message = f"{expr} has no value here"
        raise ValueError(message)

    def _mask(self, what: str, record: RecordName) -> int:
        match what:
            case "counters":
                return self._held(f for f in self.fields if f.kind == "counter")
            case "referenced":
                return self._pointed(record)
            case "available":
                slots = (1 << len(self.values[record, "in_use"])) - 1
                return self._free(record) | slots & ~self._pointed(record)
        return self._free(record)

    def _free(self, record: RecordName) -> int:
        states = self.values[record, "pc" if record == "task" else "in_use"]
        return sum((state == FREE) << slot for slot, state in enumerate(states))

    def _pointed(self, record: RecordName) -> int:
        return self._held(f for f in self.fields if f.kind == "ref" and f.target == record) >> 1

    def _held(self, fields: Iterable[Field]) -> int:
        """Return a mask of the values that some of the fields have."""
        mask = 0
        for field in fields:
            for value in self.values[field.record, field.name]:
                mask |= 1 << value
        return mask
