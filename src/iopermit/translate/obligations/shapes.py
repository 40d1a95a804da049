"""Tells which steps are the same but for names: an obligation of one is that of the other.

The calls of a design's methods are lowered in place, so most steps stand in a model several times,
with other local variables and other places to go on to.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import (
    FIRST_STEP,
    Check,
    Clear,
    Expr,
    Field,
    Goto,
    If,
    Let,
    Load,
    Stmt,
    Store,
)
from iopermit.translate.model.walk import map_expression

if TYPE_CHECKING:
    from collections.abc import Hashable

    from iopermit.translate.model.model import Model, Step


class Shape:
    """Renames what a step and the expressions about it mention, in the order of mention."""

    def __init__(self, model: Model) -> None:
        """Begin with no names."""
        self.model = model
        self._names: dict[Field, Field] = {}

    def of(self, step: Step, *about: Expr) -> Hashable:
        """Return what two steps share if they are the same but for names."""
        return (
            step.context,
            step.preemption_off,
            self._held(step.pc),
            step.allocation,
            self.body(step.body),
            tuple(self.expression(each) for each in about),
        )

    def body(self, body: tuple[Stmt, ...]) -> tuple[Hashable, ...]:
        """Return the statements under other names."""
        return tuple(self._statement(each) for each in body)

    def _statement(self, statement: Stmt) -> Hashable:
        match statement:
            case Let(temp, value):
                return Let(temp, self.expression(value))
            case Store(field, index, value):
                stored = self.expression(value)
                return Store(self._field(field), self.expression(index), stored)
            case Check(bad, _, verdict):
                return Check(self.expression(bad), "", verdict)
            case If(condition, then, otherwise):
                return (
                    "if",
                    self.expression(condition),
                    self.body(then),
                    self.body(otherwise),
                )
            case Goto(target):
                return ("goto", self._kind(target))
            case Clear(record, index):
                return Clear(record, self.expression(index))

    def expression(self, expr: Expr) -> Expr:
        """Return an expression under other names."""
        return map_expression(expr, self._load)

    def _load(self, part: Expr) -> Expr:
        match part:
            case Load(field, index):
                return Load(self._field(field), index)
        return part

    def _field(self, field: Field) -> Field:
        kernel = self.model.kernel
        if not field.local or field in kernel.held or field == kernel.ports:
            return field
        if field not in self._names:
            self._names[field] = replace(field, name=f"variable {len(self._names)}")
        return self._names[field]

    def _kind(self, target: int) -> Hashable:
        """Return what matters of where a step goes on to."""
        if target < FIRST_STEP:
            return target
        after = self.model.steps[target]
        return after.preemption_off, self._held(target)

    def _held(self, pc: int) -> tuple[Field, ...]:
        """Return the variables that hold a child or a stopped task before a step."""
        live = self.model.live.get(pc, frozenset())
        return tuple(held for held in self.model.kernel.held if held in live)
