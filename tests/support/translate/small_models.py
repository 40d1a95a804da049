"""Models made by hand, of a few fields and steps, so that one analysis can be looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iopermit.system.site import Site
from iopermit.translate.model.model import KernelFields, Model, Rule, Step
from iopermit.translate.model.nodes import ALWAYS, FIRST_STEP, TASK, Field, Goto, Load

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.translate.model.nodes import Expr, Stmt

HEAP = "Map"
"""The class of heap objects of the models."""
SITE = Site("small.py", 1, 0, "statement", "switch_to")

PORTS = Field("task", "ioperm.ports", 2, "bitmap", high=3, local=True)
CHILD = Field("task", "fork.child", 3, "ref", "task", high=4, local=True)
KERNEL = KernelFields(
    task_pc=Field("task", "pc", 4, high=15),
    cpu_pc=Field("cpu", "pc", 4, high=15),
    current=Field("cpu", "current", 3, "ref", "task", high=4),
    following=Field("cpu", "following", 3, "ref", "task", high=4),
    kernel_thread=Field("task", "kernel_thread", 1, "bool", high=1, declared=True),
    granted=Field("task", "granted", 2, "bitmap", high=3),
    granted_iopl=Field("task", "granted_iopl", 1, "bool", high=1),
    bad=Field("globals", "bad", 2, high=3),
    ports=PORTS,
    children=(CHILD,),
)
IN_USE = Field(HEAP, "in_use", 1, "bool", high=1)
MAP = Field("task", "map", 3, "ref", HEAP, high=4, declared=True)
"""A task's pointer to a heap object."""
FLAG = Field("task", "flag", 1, "bool", high=1, declared=True)
LEVEL = Field("task", "level", 2, high=3, declared=True)
COUNT = Field(HEAP, "count", 2, high=3, declared=True)
"""A field of a heap object."""
BASE = Field("tss", "base", 1, "enum", high=1, declared=True)
TOTAL = Field("globals", "total", 2, high=3, declared=True)
VARIABLE = Field("task", "hook.x", 2, high=3, local=True)
OTHER = Field("task", "hook.y", 2, high=3, local=True)
POINTER = Field("task", "hook.p", 3, "ref", HEAP, high=4, local=True)
"""A local variable that points to a heap object."""

FIELDS = (
    *(
        KERNEL.task_pc, KERNEL.cpu_pc, KERNEL.current, KERNEL.following, KERNEL.kernel_thread,
        KERNEL.granted, KERNEL.granted_iopl, KERNEL.bad, PORTS, CHILD,
    ),
    *(IN_USE, MAP, FLAG, LEVEL, COUNT, BASE, TOTAL, VARIABLE, OTHER, POINTER),
)  # fmt: skip


def step(
    pc: int,
    *body: Stmt,
    to: int | None = None,
    context: Literal["task", "cpu"] = "task",
    off: bool = False,
) -> Step:
    """Return a step of the design that goes on to another one."""
    gotos = () if to is None else (Goto(to),)
    return Step(FIRST_STEP + pc, context, SITE, (*body, *gotos), preemption_off=off)


def at(pc: int) -> int:
    """Return the number of a step given from 0."""
    return FIRST_STEP + pc


def rule(event: str, *body: Stmt, starts: int, guard: Expr = ALWAYS) -> Rule:
    """Return an event that starts a step, given from 0."""
    return Rule(event, guard, (*body, Goto(at(starts))), (), at(starts))


def own(field: Field) -> Load:
    """Return the value of a field of the task that executes the step."""
    return Load(field, TASK)


def small_model(steps: Iterable[Step], *, cpus: int = 1, tasks: int = 2) -> Model:
    """Return a model of some steps, without any rules."""
    counts = {"task": tasks + cpus, "cpu": cpus, "tss": cpus, "globals": 1, HEAP: 2}
    model = Model(counts, KERNEL, tasks, list(FIELDS))
    model.steps = {each.pc: each for each in steps}
    model.heap = (HEAP,)
    return model
