"""What becomes of a task by a transition: how far its operation is, and what it was granted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, assert_never

from iopermit.kernel.execution import entry
from iopermit.kernel.execution.functions import FUNCTIONS
from iopermit.kernel.state.contents import TASK, name
from iopermit.kernel.state.state import TaskMeta, TaskMode
from iopermit.system.events import EVENTS
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
    Says,
    following,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from iopermit.kernel.execution.executor import TransitionEnd
    from iopermit.kernel.execution.transition import Transition
    from iopermit.kernel.state.contents import Component
    from iopermit.system.events.operations import Operation

Tasks = list["Component | None"]

_SAYS: Final[Mapping[str, bool]] = {"iopl_survives_exec": True}
"""What trees say where a design has a constant: exec's hook leaves the emulated IOPL alone."""


class Completion:
    """The current task after a transition.

    Attributes:
        meta: what is known of it so far.
        child: the task that it is making, if it does.
    """

    def __init__(self, transition: Transition, tasks: Tasks) -> None:
        """Note in `tasks` what becomes of the current task, and of its child."""
        self.transition, self.kernel, self._tasks = transition, transition.kernel, tasks
        self._slot, before = transition.current_task()
        self.meta = self.kernel.task_meta(before)
        self.child = transition.child
        if transition.begins is not None:
            for effect in transition.begins.at_once:
                _EFFECTS[effect](self)

    def store(self, ending: TransitionEnd) -> None:
        """Store the task: stopped in the kernel, or further than the function that returned."""
        if self.meta.mode is TaskMode.EXITING:
            self._leave(TaskMode.DEAD)
            return
        operation = self.transition.operation
        assert operation is not None  # it executes kernel code
        if ending.registers is not None:
            meta = self.meta._replace(operation=operation, preemptible=ending.preemptible)
            self._stop(meta, ending.registers)
        elif operation.returns_to_user:
            self._leave(TaskMode.USER)
        else:
            what = EVENTS[operation.event].operation
            assert what is not None  # a task does it
            body = following(what.body, operation.phase) if what.body else ()
            self._follow(body, what, ending.result)

    def _follow(self, body: Body, operation: Operation, result: int) -> None:
        """Do what follows the function that returned, up to the next one or to the end."""
        if not body:
            back = TaskMode.THREAD if self.meta.kernel_thread else TaskMode.RETURN
            self._leave(back if operation.leaves else TaskMode.EXITING)
            return
        first, rest = body[0], body[1:]
        match first:
            case Effect():
                _EFFECTS[first](self)
                self._follow(rest, operation, result)
            case Call():
                self._begin_next(first)
            case Decision(condition, then, otherwise):
                chosen = then if self._holds(condition, result) else otherwise
                self._follow((*chosen, *rest), operation, result)
            case _:
                assert_never(first)

    def _begin_next(self, call: Call) -> None:
        """Let the task go on with another function: a transition of its own."""
        operation = self.transition.operation
        assert operation is not None  # it is being followed
        registers = entry.registers_for(self.transition, call.hook)
        operation = operation._replace(phase=operation.phase + 1)
        self._stop(self.meta._replace(operation=operation, preemptible=True), registers)

    def _leave(self, mode: TaskMode) -> None:
        after = self.meta._replace(mode=mode, operation=None, preemptible=True)
        self._tasks[self._slot] = self.kernel.memory.task_component(self._slot, after)

    def _stop(self, meta: TaskMeta, registers: tuple[int, ...]) -> None:
        memory, child = self.kernel.memory, self.child
        names = () if child is None else (name(TASK, child),)
        stopped = meta._replace(mode=TaskMode.KERNEL)
        self._tasks[self._slot] = memory.task_component(self._slot, stopped, names, registers)
        if child is not None:
            embryo = TaskMeta(TaskMode.EMBRYO, home=meta.home)
            self._tasks[child] = memory.task_component(child, embryo)

    def _holds(self, condition: Condition, result: int) -> bool:
        match condition:
            case HookResult():
                return result != 0
            case Argument(argument):
                return bool(self.transition.values[argument])
            case Says(constant):
                return _SAYS[constant]
            case Has(hook):
                return hook.name in FUNCTIONS
            case Not(opposite):
                return not self._holds(opposite, result)
            case Every(conditions):
                return all(self._holds(each, result) for each in conditions)
        assert_never(condition)

    # Effects.

    def change_grants(self) -> None:
        """Grant or revoke ports."""
        values, grants = self.transition.values, self.kernel.grants
        number = grants.change(self.meta.grants, values["ports"], values["turn_on"])
        self.meta = self.meta._replace(grants=number)

    def grant_level(self, level: int) -> None:
        """Grant an I/O privilege level."""
        grants = self.kernel.grants.set_level(self.meta.grants, level)
        self.meta = self.meta._replace(grants=grants)

    def start_child(self) -> None:
        """Let the child run; a kernel thread needs no grants, since it never runs user code."""
        assert self.child is not None  # there is one
        special = self.transition.values["kernel_thread"]
        made = TaskMeta(
            TaskMode.THREAD if special else TaskMode.RETURN,
            self.meta.privileged,
            special,
            0 if special else self.meta.grants,
            self.meta.home,
        )
        self._tasks[self.child] = self.kernel.memory.task_component(self.child, made)

    def free_child(self) -> None:
        """Give the child's slot back."""
        assert self.child is not None  # there is one
        self._tasks[self.child] = None


def _revoke_all(completion: Completion) -> None:
    completion.meta = completion.meta._replace(grants=0)


def _drop_privilege(completion: Completion) -> None:
    completion.meta = completion.meta._replace(privileged=False)


def _done_by_entry(_: Completion) -> None:
    """Do nothing: entering the kernel has done it."""


_EFFECTS: Final[Mapping[Effect, Callable[[Completion], None]]] = {
    Effect.GRANT_PORTS: Completion.change_grants,
    Effect.GRANT_LEVEL: lambda task: task.grant_level(task.transition.values["level"]),
    Effect.REVOKE_LEVEL: lambda task: task.grant_level(0),
    Effect.REVOKE_ALL: _revoke_all,
    Effect.DROP_PRIVILEGE: _drop_privilege,
    Effect.LOWER_TSS_LIMIT: _done_by_entry,
    Effect.MAKE_CHILD: _done_by_entry,
    Effect.START_CHILD: Completion.start_child,
    Effect.FREE_CHILD: Completion.free_child,
}
"""All but those of a handler of #GP, of a register-set dump and of a CPU that goes down and comes
up again: no tree executes these here."""
