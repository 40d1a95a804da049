"""Types and values of the design language, as the translation sees them."""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace
from typing import Literal

from iopermit.translate.frontend.declare import bits
from iopermit.translate.model.builder import binary
from iopermit.translate.model.nodes import Binary, Const, Expr, Field, RecordName

Kind = Literal["bool", "int", "enum", "ref", "counter", "ports", "result", "bitmap"]


@dataclass(frozen=True)
class Type:
    """What a value can be: its kind, and its bounds or the record it points to."""

    kind: Kind
    low: int = 0
    high: int = 1
    target: RecordName = ""
    longs: bool = False
    """Whether it counts longs of a map: a long of a scenario may stand for many real ones."""

    def join(self, other: Type) -> Type | None:
        """Return the smallest type that covers both, or None if they do not mix."""
        kinds = {self.kind, other.kind}
        if kinds == {"int", "result"}:
            # Error numbers are kept without their sign: another number would look like one.
            number = self if self.kind == "int" else other
            return None if number.high else Type("result", 0, max(self.high, other.high))
        if self.kind == "ref" and other.kind == "ref" and "" in (self.target, other.target):
            return self if self.target else other
        if self.kind != other.kind or self.target != other.target:
            return None
        if self.longs != other.longs and (other if self.longs else self).high:
            return None
        longs = self.longs or other.longs
        low, high = min(self.low, other.low), max(self.high, other.high)
        return replace(self, low=low, high=high, longs=longs)

    def field(self, record: RecordName, name: str) -> Field:
        """Return a local variable of this type."""
        kind = "int" if self.kind == "ports" else self.kind
        return Field(
            record, name, bits(self.high), kind, self.target, self.low, self.high, local=True
        )


BOOL = Type("bool")
NULL_TYPE = Type("ref", 0, 0)


@dataclass(frozen=True)
class Value:
    """An expression with its type; for a pointer also the slot and whether it can be NULL."""

    expr: Expr
    type: Type
    slot: Expr | None = None
    never_null: bool = False

    @property
    def pointed(self) -> Expr:
        """The slot that a pointer refers to."""
        return self.slot if self.slot is not None else binary("sub", self.expr, Const(1))


def pointer(target: RecordName, slot: Expr) -> Value:
    """Return a pointer to a record that is certainly there."""
    return Value(binary("add", slot, Const(1)), Type("ref", 1, 64, target), slot, never_null=True)


def constant(value: object) -> Value | None:
    """Return a Python constant as a value of the language, or None if it is not one."""
    if value is None:
        return Value(Const(0), NULL_TYPE)
    if isinstance(value, bool):
        return Value(Const(int(value)), BOOL)
    if isinstance(value, enum.Enum):
        number = int(value.value)
        return Value(Const(number), Type("enum", 0, number))
    if isinstance(value, int) and value >= 0:
        return Value(Const(value), Type("int", value, value))
    return None


def field_value(field: Field, load: Expr) -> Value:
    """Return the value that reading a field gives."""
    high = field.high if field.local else field.high or (1 << field.width) - 1
    kind: Kind = field.kind
    return Value(load, Type(kind, field.low, high, field.target))


def arithmetic(operator: str, left: Value, right: Value) -> Value:
    """Return the sum, difference, maximum or minimum with its bounds."""
    a, b = left.type, right.type
    if operator == "add":
        return Value(
            binary("add", left.expr, right.expr), Type("int", a.low + b.low, a.high + b.high)
        )
    bounds = Type("int", max(0, a.low - b.high), max(0, a.high - b.low))
    return Value(Binary("sub", left.expr, right.expr), bounds)
