"""What is true in every state that a search visits: premises of the other obligations.

Each is an expression of the model. They hold in the initial state, and every step and event keeps
them, which is an obligation like the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from iopermit.translate.model.builder import (
    binary,
    differ,
    either,
    equal,
    every,
    negate,
    slot_of,
)
from iopermit.translate.model.nodes import (
    DEAD,
    EMBRYO,
    FIRST_STEP,
    FREE,
    Const,
    Expr,
    Load,
)

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model


@dataclass(frozen=True)
class Premise:
    """Something that is true in every state."""

    name: str
    holds: Expr


def premises(model: Model) -> list[Premise]:
    """Return the premises for a model."""
    return [
        Premise("a task is on one CPU at most", _on_one_cpu(model)),
        Premise("a CPU has no other CPU's idle task", _own_idle_tasks(model)),
        Premise("a task on a CPU is neither free nor being forked", _alive(model)),
        Premise("a CPU has a next task just while it switches", _switching(model)),
        Premise("a task that cannot be preempted is running", _running(model)),
        Premise("a child that is being forked has one parent", _children(model)),
        Premise("only a task that a CPU runs is in a row of refusals", _rows(model)),
    ]


def _places(model: Model) -> list[Expr]:
    """Return who runs on each CPU and who is about to."""
    fields = (model.kernel.current, model.kernel.following)
    return [Load(f, Const(cpu)) for cpu in range(model.counts["cpu"]) for f in fields]


def _on_one_cpu(model: Model) -> Expr:
    pairs = combinations(_places(model), 2)
    return every(*(either(equal(a, 0), differ(a, b)) for a, b in pairs))


def _own_idle_tasks(model: Model) -> Expr:
    parts: list[Expr] = []
    for number, place in enumerate(_places(model)):
        idle = model.tasks + number // 2 + 1
        parts.append(either(binary("le", place, Const(model.tasks)), equal(place, idle)))
    parts += [differ(Load(model.kernel.current, Const(c)), 0) for c in range(model.counts["cpu"])]
    return every(*parts)


def _alive(model: Model) -> Expr:
    parts: list[Expr] = []
    for place in _places(model):
        pc = Load(model.kernel.task_pc, slot_of(place))
        nobody = either(equal(place, 0), binary("lt", Const(model.tasks), place))
        parts.append(either(nobody, every(differ(pc, FREE), differ(pc, EMBRYO))))
        if isinstance(place, Load) and place.field == model.kernel.following:
            parts.append(either(nobody, differ(pc, DEAD)))
    return every(*parts)


def _switching(model: Model) -> Expr:
    kernel = model.kernel
    return every(
        *(
            equal(
                equal(Load(kernel.cpu_pc, Const(cpu)), 0),
                equal(Load(kernel.following, Const(cpu)), 0),
            )
            for cpu in range(model.counts["cpu"])
        )
    )


def _running(model: Model) -> Expr:
    kernel, parts = model.kernel, []
    cpus = range(model.counts["cpu"])
    for task in range(model.tasks):
        pc = Load(kernel.task_pc, Const(task))
        last = binary("lt", pc, Const(model.preemptible_end))
        here = [
            every(
                equal(Load(kernel.current, Const(cpu)), task + 1),
                equal(Load(kernel.cpu_pc, Const(cpu)), 0),
            )
            for cpu in cpus
        ]
        parts.append(either(last, *here))
    return every(*parts)


def _rows(model: Model) -> Expr:
    kernel, parts = model.kernel, []
    for task in range(model.counts["task"]) if kernel.refusals is not None else ():
        assert kernel.refusals is not None
        runs = [
            every(
                equal(Load(kernel.current, Const(cpu)), task + 1),
                equal(Load(kernel.cpu_pc, Const(cpu)), 0),
            )
            for cpu in range(model.counts["cpu"])
        ]
        parts.append(either(equal(Load(kernel.refusals, Const(task)), 0), *runs))
    return every(*parts)


def _children(model: Model) -> Expr:
    """Each task before a step with a live child has one, which is an embryo and nobody else's."""
    of_task: list[tuple[Expr, Expr]] = []
    for child in model.kernel.children:
        forking = [pc for pc, live in model.live.items() if child in live and pc >= FIRST_STEP]
        for task in range(model.tasks):
            pc = Load(model.kernel.task_pc, Const(task))
            forks = either(*(equal(pc, known) for known in forking))
            of_task.append((forks, Load(child, Const(task))))
    parts: list[Expr] = []
    for forks, child_of in of_task:
        embryo = equal(Load(model.kernel.task_pc, slot_of(child_of)), EMBRYO)
        real = every(differ(child_of, 0), binary("le", child_of, Const(model.tasks)))
        parts.append(either(negate(forks), every(real, embryo)))
    for (forks, child_of), (others, other) in combinations(of_task, 2):
        parts.append(either(negate(every(forks, others)), differ(child_of, other)))
    return every(*parts)
