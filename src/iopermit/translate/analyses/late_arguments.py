"""Lets the ports of an ioperm() call stay open until the kernel first looks at them.

A task that was preempted early in ioperm(from, num, turn_on) would have a state for every range
that it may have been called with, though nothing has read the range yet. They behave alike until
then, so one state stands for all, and the range is chosen when it is first read.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from iopermit.system.events import Event
from iopermit.translate.model.nodes import FIRST_STEP, Binary, Const, Expr, Field, Load, Store
from iopermit.translate.model.walk import expressions, targets

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model, Rule, Step

EVENT = Event.IOPERM.name


class LateArguments:
    """Which steps come before the first look at the ports, and which ranges there are.

    Whether the range is empty (the invalid call) is known from the start: a range that was
    chosen is never empty, and an empty one never changes.
    """

    def __init__(self, model: Model) -> None:
        """Analyse ``model``."""
        self.model = model
        ports = model.kernel.ports
        self.field: Field | None = ports if ports in model.fields else None
        self.values = tuple(dict.fromkeys(v for r in model.user_rules if (v := self.value(r))))
        """The nonempty ranges, as masks of longs; the first is the one that reports prefer."""

    def chosen_between(self, step: int, target: int) -> bool:
        """Return whether the range is chosen on the way from one step to another."""
        return step in self.open and target not in self.open and self._wants(target)

    def is_redundant(self, rule: Rule) -> bool:
        """Return whether the rule with the first range stands for this one."""
        return rule.starts in self.open and self.value(rule) in self.values[1:]

    def value(self, rule: Rule) -> int:
        """Return the range that a rule calls ioperm() with, 0 for any other rule."""
        for statement in rule.body:
            match statement:
                case Store(field, _, Const(value)) if field == self.field:
                    return value
        return 0

    @functools.cached_property
    def open(self) -> frozenset[int]:
        """Steps before which the range has not been looked at, and will be."""
        if len(self.values) <= 1:
            return frozenset()
        starts = [r.starts for r in self.model.user_rules if self.value(r)]
        looked_at = self._reachable([p for p, s in self.model.steps.items() if self._looks(s)])
        return frozenset(
            pc for pc in self._reachable(starts) if pc not in looked_at and self._wants(pc)
        )

    def _wants(self, pc: int) -> bool:
        return self.field in self.model.live.get(pc, frozenset())

    def _reachable(self, starts: list[int]) -> set[int]:
        found: set[int] = set()
        waiting = list(starts)
        while waiting:
            pc = waiting.pop()
            if pc >= FIRST_STEP and pc not in found:
                found.add(pc)
                waiting += targets(self.model.steps[pc].body)
        return found

    def _looks(self, step: Step) -> bool:
        """Return whether a step reads the range, other than to tell whether it is empty."""
        loads = [e for e in expressions(step.body) if self._is_argument(e)]
        tests = [e for e in expressions(step.body) if self._tests_emptiness(e)]
        return len(loads) > len(tests)

    def _tests_emptiness(self, expr: Expr) -> bool:
        match expr:
            case Binary("ne" | "eq", left, Const(0)):
                return self._is_argument(left)
        return False

    def _is_argument(self, expr: Expr) -> bool:
        return isinstance(expr, Load) and expr.field == self.field
