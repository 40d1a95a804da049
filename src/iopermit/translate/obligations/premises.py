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
    ALWAYS,
    DEAD,
    EMBRYO,
    FIRST_STEP,
    FREE,
    STOPPED,
    TASK,
    USER,
    Const,
    Expr,
    Field,
    Goto,
    If,
    Load,
    Stmt,
)
from iopermit.translate.model.walk import targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
        Premise("a task on a CPU is neither free nor being forked nor stopped", _alive(model)),
        Premise("a CPU has a next task just while it switches", _switching(model)),
        Premise("a task that cannot be preempted is running", _running(model)),
        Premise("who is forked or stopped is so by one task", _held(model)),
        Premise("only a task that a CPU runs is in a row of refusals", _rows(model)),
    ]


def all_premises(model: Model) -> list[Premise]:
    """Return the premises for a model, those about kernel threads included."""
    return [*premises(model), *premises_about_threads(model)]


def premises_about_threads(model: Model) -> list[Premise]:
    """Return those about kernel threads, on which only what is dead in them rests."""
    return [
        Premise("the child of a kernel thread is one", _inherited(model)),
        Premise("a kernel thread never is where only user tasks are", _threads(model)),
    ]


def _places(model: Model) -> list[Expr]:
    """Return who runs on each CPU and who is about to."""
    fields = (model.kernel.current, model.kernel.following)
    return [Load(f, Const(cpu)) for cpu in range(model.counts["cpu"]) for f in fields]


def _on_one_cpu(model: Model) -> Expr:
    """A CPU that comes up goes on with the idle task that it has: both are the same."""
    pairs = combinations(_places(model), 2)
    return every(
        *(either(equal(a, 0), differ(a, b), binary("lt", Const(model.tasks), a)) for a, b in pairs)
    )


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
        parts.append(either(nobody, every(*(differ(pc, each) for each in (FREE, EMBRYO, STOPPED)))))
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
    """An idle task, which is never in user mode, is refused nothing."""
    kernel, refusals = model.kernel, model.kernel.refusals
    if refusals is None:
        return ALWAYS
    parts = []
    for task in range(model.counts["task"]):
        runs = [
            every(
                equal(Load(kernel.current, Const(cpu)), task + 1),
                equal(Load(kernel.cpu_pc, Const(cpu)), 0),
            )
            for cpu in range(model.counts["cpu"] if task < model.tasks else 0)
        ]
        parts.append(either(equal(Load(refusals, Const(task)), 0), *runs))
    return every(*parts)


def _holding(model: Model) -> list[tuple[Expr, Expr, Field, Expr]]:
    """Return who holds another task, a child or one that it stopped.

    That is for each variable and each task whether that is before a step at which the variable is
    live, the task itself, the variable, and the reference in it.
    """
    found: list[tuple[Expr, Expr, Field, Expr]] = []
    for variable in model.kernel.held:
        holding = [pc for pc, live in model.live.items() if variable in live and pc >= FIRST_STEP]
        for task in range(model.tasks):
            pc = Load(model.kernel.task_pc, Const(task))
            holds = either(*(equal(pc, known) for known in holding))
            found.append((holds, Const(task), variable, Load(variable, Const(task))))
    return found


def _held(model: Model) -> Expr:
    """Each task before a step with a live child, or with one that it stopped, has one.

    That is an embryo, or stopped, and nobody else's.
    """
    of_task = _holding(model)
    parts: list[Expr] = []
    for holds, _, variable, held in of_task:
        there = equal(Load(model.kernel.task_pc, slot_of(held)), model.kernel.held[variable])
        real = every(differ(held, 0), binary("le", held, Const(model.tasks)))
        parts.append(either(negate(holds), every(real, there)))
    for (holds, _, _, held), (others, _, _, other) in combinations(of_task, 2):
        parts.append(either(negate(every(holds, others)), differ(held, other)))
    return every(*parts)


def _inherited(model: Model) -> Expr:
    """What a kernel thread forks is a kernel thread."""
    thread = model.kernel.kernel_thread
    return every(
        *(
            either(negate(every(forks, Load(thread, task))), Load(thread, slot_of(child)))
            for forks, task, variable, child in _holding(model)
            if variable in model.kernel.children
        )
    )


def _threads(model: Model) -> Expr:
    """Each kernel thread is where its own events lead to, not in user mode and not stopped."""
    kernel, parts = model.kernel, []
    there = _of_threads(model)
    elsewhere = intervals(pc for pc in (USER, STOPPED, *model.steps) if pc not in there)
    for task in range(model.tasks):
        pc = Load(kernel.task_pc, Const(task))
        apart = (
            either(binary("lt", pc, Const(low)), binary("lt", Const(high), pc))
            for low, high in elsewhere
        )
        parts.append(either(negate(Load(kernel.kernel_thread, Const(task))), every(*apart)))
    return every(*parts)


def _of_threads(model: Model) -> set[int]:
    """Return the steps that a kernel thread can come to."""
    found: set[int] = set()
    waiting = [target for rule in model.thread_rules for target in targets(rule.body)]
    while waiting:
        pc = waiting.pop()
        if pc >= FIRST_STEP and pc not in found:
            found.add(pc)
            waiting += _targets_of_thread(model, model.steps[pc].body)
    return found


def _targets_of_thread(model: Model, body: tuple[Stmt, ...]) -> Iterator[int]:
    """Yield where a kernel thread goes on after a body."""
    for statement in body:
        match statement:
            case Goto(target):
                yield target
            case If(Load(field, index), then, _) if (
                field == model.kernel.kernel_thread and index == TASK
            ):
                yield from _targets_of_thread(model, then)
                if _always_ends(then):
                    return
            case If(_, then, otherwise):
                yield from _targets_of_thread(model, then)
                yield from _targets_of_thread(model, otherwise)


def _always_ends(body: tuple[Stmt, ...]) -> bool:
    return any(isinstance(statement, Goto) for statement in body)


def intervals(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Return numbers as intervals, first and last."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = found[-1][0], number
        else:
            found.append((number, number))
    return found
