"""The scheduler: what takes a CPU from a task, and the steps of a context switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.system.events import Event
from iopermit.system.events.hooks import SWITCH_TO
from iopermit.translate.environment.effects import forget_refusals
from iopermit.translate.frontend.types import pointer
from iopermit.translate.model.builder import (
    binary,
    const,
    differ,
    either,
    equal,
    every,
    negate,
    slot_of,
)
from iopermit.translate.model.model import Rule, Step
from iopermit.translate.model.nodes import (
    CPU,
    DEAD,
    EMBRYO,
    FIRST_STEP,
    FREE,
    KERNEL_THREAD,
    STOPPED,
    USER,
    Clear,
    Const,
    Expr,
    Goto,
    If,
    Load,
    Stmt,
    Store,
)

if TYPE_CHECKING:
    from iopermit.translate.environment.builder import EnvironmentBuilder
    from iopermit.translate.frontend.step_builder import Label


class ContextSwitching:
    """Adds the context switch to an environment."""

    def __init__(self, builder: EnvironmentBuilder) -> None:
        """Add to ``builder``."""
        self.builder = builder

    def add_switch(self) -> Label:
        """Add the steps of a context switch; return the label of the first."""
        steps = self.builder.steps
        previous, following = (
            slot_of(Load(self.builder.current, CPU)),
            slot_of(Load(self.builder.following, CPU)),
        )
        end = steps.label()
        body: tuple[Stmt, ...] = (
            If(equal(Load(self.builder.pc, previous), DEAD), (Clear("task", previous),)),
            Store(self.builder.current, CPU, Load(self.builder.following, CPU)),
            Store(self.builder.following, CPU, const(0)),
            Goto(FREE),
        )
        steps.lowered.steps[end] = Step(
            end, "cpu", None, body, "the next task runs", preemption_off=True, ends_switch=True
        )
        parameters = {
            "cpu": pointer("cpu", CPU),
            "previous": pointer("task", previous),
            "following": pointer("task", following),
        }
        entry, after = self.builder.lowering.hook(
            SWITCH_TO.name, parameters, record="cpu", off=not SWITCH_TO.preemptible, result=None
        )
        steps.alias(after, end)
        return entry

    def rules(self, entry: int, return_pc: int, preemptible_end: int) -> list[Rule]:
        """Return the rules that start a switch at ``entry``; numbers are final."""
        scenario, current = self.builder.scenario, slot_of(Load(self.builder.current, CPU))
        pc = Load(self.builder.pc, current)
        idle = binary("le", Const(scenario.tasks), current)
        in_kernel = every(
            binary("le", Const(FIRST_STEP), pc), binary("lt", pc, Const(preemptible_end))
        )
        calm = either(idle, equal(pc, USER), equal(pc, KERNEL_THREAD), equal(pc, DEAD), in_kernel)
        interrupted: tuple[Stmt, ...] = (
            If(
                every(equal(pc, USER), negate(idle)),
                (Store(self.builder.pc, current, const(return_pc)),),
            ),
            *forget_refusals(self.builder, current),
        )
        rules = []
        for slot in range(scenario.tasks):
            guard = every(differ(current, slot), self._runnable(slot), calm)
            body = (
                *interrupted,
                Store(self.builder.following, CPU, const(slot + 1)),
                Store(self.builder.cpu_pc, CPU, const(entry)),
            )
            rules.append(Rule(Event.SWITCH.name, guard, body, (("following", slot),), entry))
        own = binary("add", CPU, Const(scenario.tasks))
        body = (
            *interrupted,
            Store(self.builder.following, CPU, binary("add", own, Const(1))),
            Store(self.builder.cpu_pc, CPU, const(entry)),
        )
        rules.append(
            Rule(
                Event.SWITCH.name,
                every(negate(idle), calm),
                body,
                (("following", scenario.tasks),),
                entry,
            )
        )
        return rules

    def _runnable(self, slot: int) -> Expr:
        pc = Load(self.builder.pc, Const(slot))
        alive = [differ(pc, state) for state in (FREE, EMBRYO, DEAD, STOPPED)]
        here = (
            []
            if self.builder.scenario.has(Event.MIGRATE)
            else [equal(Load(self.builder.home, Const(slot)), CPU)]
        )
        return every(*alive, *on_no_cpu(self.builder, slot), *here)


def on_no_cpu(builder: EnvironmentBuilder, slot: int) -> list[Expr]:
    """Return what must be so for a task that no CPU executes, or switches to or away from."""
    cpus = [Const(c) for c in range(builder.scenario.cpus)]
    places = [Load(field, c) for field in (builder.current, builder.following) for c in cpus]
    return [differ(place, slot + 1) for place in places]
