"""Tells whether a context switch between two idle tasks can have any effect at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.model.builder import binary
from iopermit.translate.model.nodes import (
    FIRST_STEP,
    Binary,
    Check,
    Clear,
    Const,
    Expr,
    Goto,
    If,
    Let,
    Load,
    Select,
    Stmt,
    Store,
    Temp,
)

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model


def idle_switch_does_nothing(model: Model) -> bool:
    """Return whether switching from one idle task to another changes nothing and cannot crash.

    Every path is followed on which the conditions hold that are decided by the fields of the
    two tasks, which have the values of an idle task. Bookkeeping of the switch itself (which
    task is current) does not count as an effect.
    """
    entries = {rule.starts for rule in model.switch_rules}
    seen: set[int] = set()
    waiting = list(entries)
    while waiting:
        pc = waiting.pop()
        step = model.steps.get(pc)
        if step is None or pc in seen:
            continue
        seen.add(pc)
        found = _Path(model).body(step.body)
        if found is None and not step.ends_switch:
            return False
        waiting += found or ()
    return True


class _Path:
    """Follows one step with idle tasks."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.targets: list[int] = []
        self.effect = False
        self.temps: dict[str, int | None] = {}

    def body(self, statements: tuple[Stmt, ...]) -> list[int] | None:
        """Return where the step can go on to, or None if it has an effect."""
        self._follow(statements)
        return None if self.effect else self.targets

    def _follow(self, statements: tuple[Stmt, ...]) -> bool:
        """Return whether every path through the statements ends with a goto."""
        for statement in statements:
            match statement:
                case Goto(target):
                    self.targets += [target] if target >= FIRST_STEP else []
                    return True
                case If(condition, then, otherwise):
                    if self._branch(condition, then, otherwise):
                        return True
                case Check(bad, _):
                    self.effect = self.effect or self._value(bad) != 0
                case Store(field, _, _):
                    self.effect = self.effect or not field.local
                case Clear():
                    self.effect = True
                case Let(Temp(name), value):
                    self.temps[name] = self._value(value)
        return False

    def _branch(self, condition: Expr, then: tuple[Stmt, ...], otherwise: tuple[Stmt, ...]) -> bool:
        known = self._value(condition)
        if known is not None:
            return self._follow(then if known else otherwise)
        before = dict(self.temps)
        ended = self._follow(then)
        after, self.temps = self.temps, before
        ended = self._follow(otherwise) and ended
        both = after.keys() & self.temps.keys()
        self.temps = {n: self.temps[n] for n in both if self.temps[n] == after[n]}
        return ended

    def _value(self, expr: Expr) -> int | None:
        """Return the value of an expression, or None if the fields of idle tasks do not tell."""
        match expr:
            case Const(value):
                return value
            case Load(field, _) if field.record == "task" and not field.local:
                return (
                    None
                    if field == self.model.kernel.task_pc
                    else self.model.idle.get(field.name, 0)
                )
            case Temp(name):
                return self.temps.get(name)
            case Binary(op, left, right):
                return self._binary(op, self._value(left), self._value(right))
            case Select(condition, yes, no):
                chosen = self._value(condition)
                return None if chosen is None else self._value(yes if chosen else no)
        return None

    def _binary(self, op: str, left: int | None, right: int | None) -> int | None:
        if op == "and" and 0 in (left, right):
            return 0
        if left is None or right is None:
            return None
        folded = binary(op, Const(left), Const(right))
        return folded.value if isinstance(folded, Const) else None
