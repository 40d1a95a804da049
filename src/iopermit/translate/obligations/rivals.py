"""Who can come in between: every step and event of another context, where it can be.

Contexts are taken up to their names: the context of a merged step is task 0, or CPU 0 while it
switches; another task is task 1. A task whose step can be preempted need not be on a CPU; then
what it would do is asked of a CPU that has nothing but the task.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.translate.model.builder import equal, every, negate
from iopermit.translate.model.nodes import (
    ALWAYS,
    KERNEL_THREAD,
    USER,
    Const,
    Expr,
    Load,
    Stmt,
)
from iopermit.translate.obligations.dead_variables import dead_pointers
from iopermit.translate.obligations.execution import Context
from iopermit.translate.obligations.transitions import named, running

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iopermit.translate.model.model import Model, Step
    from iopermit.translate.obligations.execution import Place


@dataclass(frozen=True)
class Placement:
    """Where the context of a merged step is."""

    context: Context
    fixed: Mapping[Place, int]
    """Values that follow from it."""
    where: Expr = ALWAYS
    """What else follows from it."""
    dead: frozenset[Place] = frozenset()
    """Variables that are zero, where the step may be merged only if nothing dangles."""


@dataclass(frozen=True, eq=False)
class Rival:
    """A step or event of another context, and where that is."""

    name: str
    context: Context
    body: tuple[Stmt, ...]
    fixed: Mapping[Place, int]
    """Values that follow from where it is."""
    step: Step | None = None
    guard: Expr = ALWAYS

    @property
    def switches(self) -> bool:
        """Whether its program counter is that of a CPU."""
        return self.step is not None and self.step.context == "cpu"


class Rivals:
    """Lists the rivals of steps of one model."""

    def __init__(self, model: Model) -> None:
        """List those of ``model``."""
        self.model, self.kernel = model, model.kernel

    def of(self, step: Step) -> Iterator[tuple[Placement, Sequence[Rival]]]:
        """Yield the places where a step that may be merged can be, with its rivals there."""
        kernel, nowhere = self.kernel, self.model.counts["cpu"]
        pointers = dead_pointers(self.model, step) if step.allocation is not None else ()
        dead = frozenset((pointer, 0) for pointer in pointers)
        if step.context == "cpu":
            switching = {(kernel.cpu_pc, 0): step.pc}
            yield Placement(Context(0, 0, "own"), switching, dead=dead), self._elsewhere
            return
        held = self._held(step, 0)
        if held is None:
            return
        running: dict[Place, int] = {
            **held,
            (kernel.task_pc, 0): step.pc,
            (kernel.current, 0): 1,
            (kernel.cpu_pc, 0): 0,
            (kernel.following, 0): 0,
        }
        here = Placement(Context(0, 0, "own"), running, dead=dead)
        yield here, self._elsewhere
        if step.preemption_off:
            return
        yield here, self._preempting
        away: dict[Place, int] = {
            **held,
            (kernel.task_pc, 0): step.pc,
            (kernel.current, nowhere): 1,
        }
        where = self._not_running()
        yield Placement(Context(nowhere, 0, "own"), away, where, dead), self._meanwhile

    @functools.cached_property
    def _elsewhere(self) -> list[Rival]:
        """What can happen on another CPU."""
        return list(self._on(1)) if self.model.counts["cpu"] > 1 else []

    @functools.cached_property
    def _preempting(self) -> list[Rival]:
        """What can take the CPU from the step's task."""
        return list(self._switch_rules(0))

    @functools.cached_property
    def _meanwhile(self) -> list[Rival]:
        """What can happen on a CPU while the step's task is not running."""
        return list(self._on(0))

    def _not_running(self) -> Expr:
        kernel = self.kernel
        running = [
            every(
                equal(Load(kernel.current, Const(cpu)), 1),
                equal(Load(kernel.cpu_pc, Const(cpu)), 0),
            )
            for cpu in range(self.model.counts["cpu"])
        ]
        return every(*(negate(r) for r in running))

    def _on(self, cpu: int) -> Iterator[Rival]:
        """Yield what can happen on a CPU that is not the step's own."""
        kernel, model = self.kernel, self.model
        context = Context(cpu, 1, "rival")
        for step in model.steps.values():
            if step.context == "cpu":
                fixed: dict[Place, int] = {(kernel.cpu_pc, cpu): step.pc}
            else:
                held = self._held(step, 1)
                if model.tasks == 1 or held is None:
                    continue
                fixed = {**held, **running(model, context, step.pc)}
            name = step.place
            yield Rival(name, context, step.body, fixed, step, step.guard)
        for pc, rules in ((USER, model.user_rules), (KERNEL_THREAD, model.thread_rules)):
            for rule in rules if model.tasks > 1 else ():
                fixed = running(model, context, pc)
                yield Rival(named(rule), context, rule.body, fixed, None, rule.guard)
        yield from self._switch_rules(cpu)

    def _held(self, step: Step, task: int) -> dict[Place, int] | None:
        """Return where what a task forks or stopped is, or None if there is no room for it.

        It is the last task of all; with two tasks, where that is the rival's, no rival is left.
        """
        kernel = self.kernel
        live = self.model.live.get(step.pc, frozenset())
        held = {variable: pc for variable, pc in kernel.held.items() if variable in live}
        if not held:
            return {}
        last = self.model.tasks - 1
        if last <= task:
            return None
        here: dict[Place, int] = {(variable, task): last + 1 for variable in held}
        (pc,) = set(held.values())
        return {**here, (kernel.task_pc, last): pc}

    def _switch_rules(self, cpu: int) -> Iterator[Rival]:
        fixed = {(self.kernel.cpu_pc, cpu): 0, (self.kernel.following, cpu): 0}
        for rule in self.model.switch_rules:
            context = Context(cpu, 0, "rival")
            yield Rival(named(rule), context, rule.body, fixed, None, rule.guard)
