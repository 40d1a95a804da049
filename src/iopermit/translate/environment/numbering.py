"""Numbers the steps: the order in which they were lowered becomes that of the program counter."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from iopermit.translate.model.nodes import FIRST_STEP, Const, Expr, StepNumber, Stmt
from iopermit.translate.model.walk import expressions, map_expression, map_expressions, map_gotos

if TYPE_CHECKING:
    from iopermit.translate.frontend.step_builder import Label, StepBuilder
    from iopermit.translate.model.model import Rule, Step


@dataclass(frozen=True)
class Numbering:
    """The steps in the order of their numbers."""

    order: list[Step]
    numbers: dict[Label, int]
    """The number of the step that each label stands for; pcs that are no step are kept."""
    preemptible_end: int
    """See :attr:`Model.preemptible_end`."""

    @property
    def steps(self) -> dict[int, Step]:
        """The steps by number."""
        return {
            self.numbers[s.pc]: replace(s, pc=self.numbers[s.pc], body=self._numbered(s.body))
            for s in self.order
        }

    def rule(self, rule: Rule) -> Rule:
        """Return a rule with numbers for labels."""
        starts = self.numbers.get(rule.starts, rule.starts)
        guard = map_expression(rule.guard, self._number)
        return replace(rule, guard=guard, body=self._numbered(rule.body), starts=starts)

    def _numbered(self, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        numbered = map_gotos(body, self.numbers)
        if not any(isinstance(part, StepNumber) for part in expressions(body)):
            return numbered
        return map_expressions(numbered, self._number)

    def _number(self, part: Expr) -> Expr:
        if isinstance(part, StepNumber):
            return Const(self.numbers.get(part.value, part.value))
        return part


def number_steps(steps: StepBuilder, *, preemptible: bool) -> Numbering:
    """Number all steps: those of CPUs first, so that a CPU's pc has few bits.

    Then come those before which a task can be preempted; in a kernel that is not preemptible those
    before which it may sleep, see :attr:`iopermit.system.execution.Thread.sleeps`.
    """
    resolved = steps.resolved()
    lowered = [_switched(step, preemptible=preemptible) for step in steps.lowered.steps.values()]
    order = sorted(lowered, key=lambda s: (s.context, s.preemption_off, s.pc))
    number = {step.pc: FIRST_STEP + i for i, step in enumerate(order)}
    preemptible_end = FIRST_STEP + sum(s.context == "cpu" or not s.preemption_off for s in order)
    numbers = {label: number.get(end, end) for label, end in resolved.items()}
    return Numbering(order, numbers, preemptible_end)


def _switched(step: Step, *, preemptible: bool) -> Step:
    """Return a step with preemption off, as far as that keeps a task from being switched out."""
    sleeps = step.may_sleep or step.allocation is not None
    return replace(step, preemption_off=step.preemption_off or not (preemptible or sleeps))
