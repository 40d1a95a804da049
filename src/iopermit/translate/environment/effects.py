"""What each effect of an operation does to the state of a model, as statements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.system.events import Event
from iopermit.system.events.operations import Effect
from iopermit.translate.model.builder import binary, const, differ, equal, every, negate
from iopermit.translate.model.nodes import (
    CPU,
    EMBRYO,
    FREE,
    KERNEL_THREAD,
    LEAK,
    LOSS,
    STOPPED,
    TASK,
    Check,
    Clear,
    Const,
    Expr,
    If,
    Load,
    Select,
    StepNumber,
    Stmt,
    Store,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iopermit.translate.environment.builder import EnvironmentBuilder

    Operands = Mapping[str, Expr]
    """The arguments of an event, by name; for a task its slot."""


def effect(builder: EnvironmentBuilder, which: Effect, operands: Operands) -> list[Stmt]:
    """Return what an effect does to the current task of a CPU."""
    return _EFFECTS[which](builder, operands)


def _grant_ports(builder: EnvironmentBuilder, operands: Operands) -> list[Stmt]:
    both = binary("or", Load(builder.granted, TASK), operands["ports"])
    granted = Select(operands["turn_on"], both, binary("sub", both, operands["ports"]))
    gained = every(operands["turn_on"], differ(both, Load(builder.granted, TASK)))
    judged = _judged(builder, gained) if builder.design.ioperm_needs_privilege else []
    return [*judged, Store(builder.granted, TASK, granted)]


def _grant_level(builder: EnvironmentBuilder, operands: Operands) -> list[Stmt]:
    opens = equal(operands["level"], 3)
    gained = every(opens, negate(Load(builder.granted_iopl, TASK)))
    judged = _judged(builder, gained) if builder.design.iopl_needs_privilege else []
    return [*judged, Store(builder.granted_iopl, TASK, opens)]


def _judged(builder: EnvironmentBuilder, gained: Expr) -> list[Stmt]:
    """Return the check that a task which gains ports by a call has the privilege for it."""
    bad = every(gained, negate(Load(builder.privileged, TASK)))
    return [Check(bad, "ports are gained without CAP_SYS_RAWIO", LEAK)]


def _revoke_level(builder: EnvironmentBuilder, _: Operands) -> list[Stmt]:
    return [Store(builder.granted_iopl, TASK, const(0))]


def _revoke_all(builder: EnvironmentBuilder, operands: Operands) -> list[Stmt]:
    return [Store(builder.granted, TASK, const(0)), *_revoke_level(builder, operands)]


def _drop_privilege(builder: EnvironmentBuilder, _: Operands) -> list[Stmt]:
    return [Store(builder.privileged, TASK, const(0))]


def _lower_tss_limit(builder: EnvironmentBuilder, _: Operands) -> list[Stmt]:
    return [Store(builder.fields["cpu", "tr_limit_low"], CPU, const(1))]


def _load_task_register(builder: EnvironmentBuilder, _: Operands) -> list[Stmt]:
    return [Store(builder.fields["cpu", "tr_limit_low"], CPU, const(0))]


def _move_tasks(builder: EnvironmentBuilder, operands: Operands) -> list[Stmt]:
    """A free slot is left alone: all its fields are 0 in every state."""
    if "home" not in operands:
        return []
    moved: list[Stmt] = []
    for slot in map(Const, range(builder.scenario.tasks)):
        bound = equal(Load(builder.home, slot), CPU)
        there = every(bound, differ(Load(builder.pc, slot), FREE))
        moved.append(If(there, (Store(builder.home, slot, operands["home"]),)))
    return moved


def _make_child(builder: EnvironmentBuilder, operands: Operands) -> list[Stmt]:
    child, special = operands["child"], builder.kernel_thread
    declared = (f for f in builder.declared.fields if f.record == "task" and f.declared)
    made: list[Stmt] = [Store(f, child, Load(f, TASK)) for f in declared if f is not special]
    made += [
        Store(special, child, operands["kernel_thread"]),
        Store(builder.pc, child, const(EMBRYO)),
    ]
    if not builder.scenario.has(Event.MIGRATE):
        made.append(Store(builder.home, child, Load(builder.home, TASK)))
    return made


def _start_child(builder: EnvironmentBuilder, operands: Operands) -> list[Stmt]:
    child = operands["child"]
    special = Load(builder.kernel_thread, child)
    start = Select(special, const(KERNEL_THREAD), StepNumber(builder.return_label))
    return [
        Store(builder.granted, child, Load(builder.granted, TASK)),
        Store(builder.granted_iopl, child, Load(builder.granted_iopl, TASK)),
        Store(builder.pc, child, start),
    ]


def _free_child(_: EnvironmentBuilder, operands: Operands) -> list[Stmt]:
    return [Clear("task", operands["child"])]


def _stop_target(builder: EnvironmentBuilder, operands: Operands) -> list[Stmt]:
    return [Store(builder.pc, operands["target"], const(STOPPED))]


def _release_target(builder: EnvironmentBuilder, operands: Operands) -> list[Stmt]:
    return [Store(builder.pc, operands["target"], StepNumber(builder.return_label))]


def _report_refusal(builder: EnvironmentBuilder, _: Operands) -> list[Stmt]:
    return [Store(builder.bad, Const(0), const(LOSS))]


def _count_refusal(builder: EnvironmentBuilder, operands: Operands) -> list[Stmt]:
    if builder.refusals is None or operands["granted"] == const(0):
        return forget_refusals(builder, TASK)
    known, most = Load(builder.refusals, TASK), builder.scenario.most_refusals
    more = Select(binary("lt", known, Const(most)), binary("add", known, Const(1)), Const(most))
    return [Store(builder.refusals, TASK, more)]


def forget_refusals(builder: EnvironmentBuilder, task: Expr) -> list[Stmt]:
    """Return what ends a row of refusals, if the design has a handler that can go on with it."""
    return [] if builder.refusals is None else [Store(builder.refusals, task, const(0))]


_EFFECTS: Final[Mapping[Effect, Callable[[EnvironmentBuilder, Operands], list[Stmt]]]] = {
    Effect.GRANT_PORTS: _grant_ports,
    Effect.GRANT_LEVEL: _grant_level,
    Effect.REVOKE_LEVEL: _revoke_level,
    Effect.REVOKE_ALL: _revoke_all,
    Effect.DROP_PRIVILEGE: _drop_privilege,
    Effect.LOWER_TSS_LIMIT: _lower_tss_limit,
    Effect.LOAD_TASK_REGISTER: _load_task_register,
    Effect.MOVE_TASKS: _move_tasks,
    Effect.MAKE_CHILD: _make_child,
    Effect.START_CHILD: _start_child,
    Effect.FREE_CHILD: _free_child,
    Effect.STOP_TARGET: _stop_target,
    Effect.RELEASE_TARGET: _release_target,
    Effect.REPORT_REFUSAL: _report_refusal,
    Effect.COUNT_REFUSAL: _count_refusal,
}
