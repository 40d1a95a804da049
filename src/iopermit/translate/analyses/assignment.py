"""Finds local variables that may be read before anything was assigned to them.

When a design is executed, reading such a variable is an error. The model has a zero in its place,
or what an earlier call left, so it could go on where the design cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iopermit.translate.model.nodes import (
    FIRST_STEP,
    Check,
    Clear,
    Expr,
    Field,
    Goto,
    If,
    Let,
    Stmt,
    Store,
)
from iopermit.translate.model.walk import loads_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.translate.model.model import Model, Step

Assigned = frozenset[Field]


class Unassigned(NamedTuple):
    """A step that may read a variable too early."""

    step: Step
    variable: Field


def unassigned(model: Model) -> Unassigned | None:
    """Return the first step that may read a local variable without a value, or None."""
    rules = (*model.user_rules, *model.thread_rules, *model.switch_rules)
    before: dict[int, Assigned] = {}
    waiting: list[int] = []

    def reach(pc: int, assigned: Assigned) -> None:
        known = before.get(pc)
        common = assigned if known is None else known & assigned
        if pc >= FIRST_STEP and common != known:
            before[pc] = common
            waiting.append(pc)

    for rule in rules:
        reach(rule.starts, frozenset(s.field for s in rule.body if isinstance(s, Store)))
    while waiting:
        pc = waiting.pop()
        flow = _Flow(reads=False)
        flow.follow(model.steps[pc].body, before[pc])
        for target, assigned in flow.ends:
            reach(target, assigned)
    for pc in sorted(before):
        flow = _Flow(reads=True)
        flow.follow(model.steps[pc].body, before[pc])
        if flow.early:
            return Unassigned(model.steps[pc], flow.early[0])
    return None


class _Flow:
    """Follows the statements of a step with the variables that have a value."""

    def __init__(self, *, reads: bool) -> None:
        self.reads = reads
        """Whether to look at what is read; not before it is known what is assigned."""
        self.ends: list[tuple[int, Assigned]] = []
        """Where the step can go on to, and what has a value there."""
        self.early: list[Field] = []
        """Variables that are read without a value."""

    def follow(self, body: Iterable[Stmt], assigned: Assigned) -> Assigned | None:
        """Return what has a value behind some statements, or None if none of them goes on."""
        for statement in body:
            match statement:
                case Goto(target):
                    self.ends.append((target, assigned))
                    return None
                case If(condition, then, otherwise):
                    self._read(assigned, condition)
                    ways = (self.follow(branch, assigned) for branch in (then, otherwise))
                    goes_on = [way for way in ways if way is not None]
                    if not goes_on:
                        return None
                    assigned = frozenset.intersection(*goes_on)
                case Store(field, index, value):
                    self._read(assigned, index, value)
                    if field.local:
                        assigned |= {field}
                case Let(_, value) | Check(value, _, _) | Clear(_, value):
                    self._read(assigned, value)
        return assigned

    def _read(self, assigned: Assigned, *values: Expr) -> None:
        for value in values if self.reads else ():
            self.early += [
                load.field
                for load in loads_of(value)
                if load.field.local and load.field not in assigned
            ]
