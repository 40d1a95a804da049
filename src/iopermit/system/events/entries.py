"""Executes operations: what surrounds a design's hooks when a task enters the kernel.

Each function is a generator that stops before each step. It runs the hook and then the step in
which the specification's grants follow the result.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol, assert_never

from iopermit.system.design import Design
from iopermit.system.events import hooks
from iopermit.system.events.arguments import Values
from iopermit.system.events.hooks import Hook, Kind
from iopermit.system.events.operations import (
    Argument,
    Body,
    Call,
    Condition,
    Decision,
    Effect,
    Every,
    Has,
    HookResult,
    Not,
    Operation,
    Says,
)
from iopermit.system.execution import ExecutionContext, Mode, Processor, Thread
from iopermit.system.heap import copy_fields
from iopermit.system.position import CallFrame, Position, Steps

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

RETURN_TO_USER: Final = Position("return to user mode: interrupts off", may_sleep=True)
ENTER_USER: Final = Position("the task enters user mode", preemption_off=True)
"""A step of its own behind the hook `return_to_user`, in designs with a handler of #GP: there the
refusals of a granted port are counted, and the hook may change what is refused."""


class Kernel(Protocol):
    """What operations need of the system."""

    design: Design

    def has_hook(self, name: str) -> bool:
        """Return whether the design has a hook."""

    def hook(self, name: str, *arguments: object) -> Steps:
        """Run a hook; a missing one has no steps and returns 0."""

    def this_cpu(self, thread: Thread) -> Any:  # noqa: ANN401 - a Cpu record, whichever it is
        """Return the CPU that `thread` is on at each moment."""

    def task(self, slot: int) -> Thread:
        """Return the task in a slot."""

    def start_child(self, parent: Thread, slot: int) -> Thread:
        """Take a task slot for a child."""

    def release_task(self, thread: Thread) -> None:
        """Give a task slot back."""

    def advance(self, context: ExecutionContext) -> None:
        """Execute one step of a task or CPU, or go up to its first."""

    def stop(self, thread: Thread) -> None:
        """Keep a task that is about to return to user mode from being run."""

    def move_tasks(self, origin: int, home: int) -> None:
        """Bind the tasks that are bound to one CPU to another one."""

    def report_refusal(self, thread: Thread) -> None:
        """Note that a granted port was finally refused."""

    def refuses(self, thread: Thread) -> bool:
        """Return whether the processor refuses a task some port that it was granted."""

    def count_refusal(self, thread: Thread) -> None:
        """Count, up to the most that matter, that a granted port is refused."""

    def judge_gain(self, thread: Thread, gained: NDArray[np.bool_]) -> None:
        """Note that a call is about to grant a task ports that it did not have by such a call."""


def perform(kernel: Kernel, thread: Thread, operation: Operation, values: Values) -> Steps:
    """Carry out an operation; then the task goes back to where it came from, or is dead."""
    for effect in operation.at_once:
        _EFFECTS[effect](kernel, thread, values)
    yield from _follow(kernel, thread, operation.body, values, operation.sleeps_before)
    if operation.leaves:
        yield from leave(kernel, thread)
    else:
        thread.mode = Mode.DEAD


def leave(kernel: Kernel, thread: Thread) -> Steps:
    """Go back to where the task came from: user mode, or the wait of a kernel thread."""
    if thread.record.kernel_thread:
        thread.mode = Mode.KERNEL_THREAD
        return
    if kernel.has_hook(hooks.RETURN_TO_USER.name):
        thread.mode = Mode.KERNEL
        yield (CallFrame(RETURN_TO_USER),)
        yield from _call(kernel, thread, hooks.RETURN_TO_USER, {})
        if kernel.has_hook(hooks.GENERAL_PROTECTION.name):
            yield (CallFrame(ENTER_USER),)
    if thread.refusals and not kernel.refuses(thread):
        thread.refusals = 0
    thread.mode = Mode.USER


def switch(kernel: Kernel, processor: Processor, previous: Thread, following: Thread) -> Steps:
    """Switch the CPU from one task to another."""
    tasks = (previous.record, following.record)
    yield from kernel.hook(hooks.SWITCH_TO.name, processor.record, *tasks)
    yield from _before("the next task runs")
    processor.record.current = following.record
    following.cpu = processor.index
    processor.previous = processor.following = None
    if previous.mode is Mode.DEAD:
        kernel.release_task(previous)


def come_up(
    kernel: Kernel, processor: Processor, idle: Thread, operation: Operation, values: Values
) -> Steps:
    """Let an idle CPU go down and come up again; without the hook it is up at once."""
    for effect in operation.at_once:
        _EFFECTS[effect](kernel, idle, values)
    for node in operation.body:
        assert isinstance(node, Call)  # it has no more to do
        if kernel.has_hook(node.hook.name):
            processor.previous = processor.following = idle
            yield from kernel.hook(node.hook.name, processor.record)
            yield from _before(node.returns)
            processor.previous = processor.following = None


def _before(label: str, *, may_sleep: bool = False) -> Steps:
    """Stop before a step of the environment."""
    yield (CallFrame(Position(label, may_sleep=may_sleep)),)


def _follow(
    kernel: Kernel, thread: Thread, body: Body, values: Values, sleeps_before: Collection[str]
) -> Steps:
    for node in body:
        match node:
            case Effect():
                _EFFECTS[node](kernel, thread, values)
            case Call(hook, returns, first):
                if first and kernel.has_hook(hook.name):
                    yield from _before(first, may_sleep=True)
                thread.result = yield from _call(kernel, thread, hook, values)
                yield from _before(returns, may_sleep=returns in sleeps_before)
            case Decision(condition, then, otherwise):
                chosen = then if _holds(kernel, thread, condition, values) else otherwise
                yield from _follow(kernel, thread, chosen, values, sleeps_before)
            case _:
                assert_never(node)


def _call(kernel: Kernel, thread: Thread, hook: Hook, values: Values) -> Steps:
    """Run a hook with what it takes, and return its result."""
    arguments = [_argument(kernel, thread, p.name, p.kind, values) for p in hook.parameters]
    thread.interrupts_off = not hook.preemptible
    result = yield from kernel.hook(hook.name, *arguments)
    thread.interrupts_off = False
    return result


def _argument(kernel: Kernel, thread: Thread, name: str, kind: Kind, values: Values) -> object:
    if kind is Kind.CPU:
        return kernel.this_cpu(thread)
    if kind is Kind.TASK:
        return kernel.task(values[name]).record if name in values else thread.record
    return values[name]


def _holds(kernel: Kernel, thread: Thread, condition: Condition, values: Values) -> bool:
    match condition:
        case HookResult():
            return bool(thread.result)
        case Argument(name):
            return bool(values[name])
        case Says(name):
            return bool(getattr(kernel.design, name))
        case Has(hook):
            return kernel.has_hook(hook.name)
        case Not(opposite):
            return not _holds(kernel, thread, opposite, values)
        case Every(conditions):
            return all(_holds(kernel, thread, each, values) for each in conditions)
    assert_never(condition)


# What each effect does.


def _grant_ports(kernel: Kernel, thread: Thread, values: Values) -> None:
    if values["turn_on"] and kernel.design.ioperm_needs_privilege:
        kernel.judge_gain(thread, thread.grants.gained_ports(values["ports"]))
    thread.grants.change(values["ports"], values["turn_on"])


def _grant_level(kernel: Kernel, thread: Thread, values: Values) -> None:
    if kernel.design.iopl_needs_privilege:
        kernel.judge_gain(thread, thread.grants.gained_by_level(values["level"]))
    thread.grants.iopl = values["level"]


def _revoke_level(_: Kernel, thread: Thread, __: Values) -> None:
    thread.grants.iopl = 0


def _revoke_all(_: Kernel, thread: Thread, __: Values) -> None:
    thread.grants.clear()


def _drop_privilege(_: Kernel, thread: Thread, __: Values) -> None:
    thread.record.privileged = False


def _lower_tss_limit(kernel: Kernel, thread: Thread, _: Values) -> None:
    kernel.this_cpu(thread).tr_limit_low = True


def _load_task_register(kernel: Kernel, thread: Thread, _: Values) -> None:
    kernel.this_cpu(thread).tr_limit_low = False


def _move_tasks(kernel: Kernel, thread: Thread, values: Values) -> None:
    if "home" in values:
        kernel.move_tasks(thread.cpu, values["home"])


def _make_child(kernel: Kernel, thread: Thread, values: Values) -> None:
    child = kernel.start_child(thread, values["child"])
    copy_fields(thread.record, child.record)
    child.record.kernel_thread = values["kernel_thread"] or thread.record.kernel_thread


def _start_child(kernel: Kernel, thread: Thread, values: Values) -> None:
    child = kernel.task(values["child"])
    child.grants.copy_from(thread.grants)
    child.steps = leave(kernel, child)
    kernel.advance(child)


def _free_child(kernel: Kernel, _: Thread, values: Values) -> None:
    kernel.release_task(kernel.task(values["child"]))


def _stop_target(kernel: Kernel, _: Thread, values: Values) -> None:
    kernel.stop(kernel.task(values["target"]))


def _release_target(kernel: Kernel, _: Thread, values: Values) -> None:
    target = kernel.task(values["target"])
    target.steps = leave(kernel, target)
    kernel.advance(target)


def _report_refusal(kernel: Kernel, thread: Thread, _: Values) -> None:
    kernel.report_refusal(thread)


def _count_refusal(kernel: Kernel, thread: Thread, values: Values) -> None:
    if values["granted"]:
        kernel.count_refusal(thread)
    else:
        thread.refusals = 0


_EFFECTS: Final[Mapping[Effect, Callable[[Kernel, Thread, Values], None]]] = {
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
