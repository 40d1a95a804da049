"""Runs hooks as they stand and to their end, at full size: for programs, and to count costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from iopermit.system.bitmap import PortRange
from iopermit.system.events import Event, entries
from iopermit.system.events.hooks import GENERAL_PROTECTION
from iopermit.system.execution import ExecutionContext, Mode, Thread
from iopermit.system.position import Steps
from iopermit.system.simulation import System

_FORKS: Final[Mapping[tuple[bool, bool], Event]] = {
    (False, False): Event.FORK,
    (False, True): Event.FORK_FAILS,
    (True, False): Event.IO_THREAD,
    (True, True): Event.IO_THREAD_FAILS,
}
"""By whether the child is a kernel thread, and whether it fails late."""


class Runner:
    """Makes tasks enter the kernel, one after the other, nothing in between.

    After a system call the task is still in the kernel, if the design has work to do on the way
    out; `return_to_user` does it. Every method raises KernelCrash if the kernel crashes and
    ValueError if the task cannot do that now.
    """

    def __init__(self, system: System) -> None:
        """Run tasks of `system`, which should have no stepper: hooks are then executed whole."""
        self.system = system

    def ioperm(self, task: int, ports: PortRange, turn_on: bool) -> int:
        """Make the system call, with any range; return 0 or a negated error number."""
        thread = self._in_user_mode(task)
        return int(self._happen(thread, Event.IOPERM, ports=ports, turn_on=turn_on))

    def iopl(self, task: int, level: int) -> int:
        """Make the system call; return 0 or a negated error number."""
        thread = self._in_user_mode(task)
        return int(self._happen(thread, Event.IOPL, level=level))

    def fork(self, task: int, *, kernel_thread: bool = False, fails: bool = False) -> int | None:
        """Fork; return the number of the child, or None if there is none.

        Raises:
            ValueError: there is no free task slot either.
        """
        thread = self._in_user_mode(task)
        slots = self.system.child_slots()
        if not slots:
            message = f"all {self.system.scenario.tasks} tasks of the scenario are alive"
            raise ValueError(message)
        child = slots[0]
        self._happen(thread, _FORKS[kernel_thread, fails], child=child)
        alive = self.system.threads[child].mode is not Mode.FREE
        return child if alive else None

    def exit(self, task: int) -> None:
        """End a task; it stays current until another one is switched to."""
        thread = self._in_user_mode(task)
        self._happen(thread, Event.EXIT)

    def execve(self, task: int) -> None:
        """Execute another program."""
        thread = self._in_user_mode(task)
        self._happen(thread, Event.EXEC)

    def drop_privilege(self, task: int) -> None:
        """Give up CAP_SYS_RAWIO."""
        thread = self._in_user_mode(task)
        self._happen(thread, Event.DROP_PRIVILEGE)

    def other_call(self, task: int) -> None:
        """Make a system call that is no business of the design, or take a fault or interrupt."""
        thread = self._in_user_mode(task)
        self._enter(thread, entries.leave(self.system, thread))

    def exit_in_kernel(self, task: int) -> None:
        """End a task that is on its way back to user mode, and does not get there."""
        thread = self._current(task)
        if thread.mode is Mode.KERNEL:
            thread.steps, thread.stack, thread.mode = None, (), Mode.USER
        self.exit(task)

    def vm_exit(self, task: int) -> None:
        """Come back from a virtual machine that the task runs."""
        thread = self._in_user_mode(task)
        self._happen(thread, Event.VM_EXIT)

    def general_protection(self, task: int) -> bool:
        """Handle a refused port access; return whether to execute the instruction again."""
        thread = self._in_user_mode(task)
        if not self.system.has_hook(GENERAL_PROTECTION.name):
            return False
        return bool(self._happen(thread, Event.FAULT, granted=False))

    def return_to_user(self, task: int) -> None:
        """Go on to user mode, with what the design does on the way; nothing if already there."""
        thread = self._current(task)
        if thread.mode is Mode.KERNEL:
            self._drain(thread)

    def switch(self, cpu: int, following: int | None) -> None:
        """Switch a CPU to another task (None: its idle task), which is then in the kernel.

        Raises:
            ValueError: the task is the current one of some CPU, or is not runnable.
        """
        target = self.system.scenario.tasks if following is None else following
        if following is not None:
            thread = self.system.threads[following]
            taken = any(p.record.current is thread.record for p in self.system.processors)
            if taken or thread.mode in (Mode.FREE, Mode.EMBRYO, Mode.STOPPED, Mode.DEAD):
                message = f"task {following} cannot be switched to"
                raise ValueError(message)
        self.system.start_switch(self.system.processors[cpu], target)
        self._drain(self.system.processors[cpu])

    def _current(self, task: int) -> Thread:
        thread = self.system.threads[task]
        if self.system.processors[thread.cpu].record.current is not thread.record:
            message = f"task {task} is on no CPU"
            raise ValueError(message)
        return thread

    def _in_user_mode(self, task: int) -> Thread:
        thread = self._current(task)
        if thread.mode not in (Mode.USER, Mode.KERNEL_THREAD):
            message = f"task {task} is not in user mode ({thread.mode.value})"
            raise ValueError(message)
        return thread

    def _happen(self, thread: Thread, event: Event, **values: object) -> Any:  # noqa: ANN401 - as below
        """Let an event happen, with arguments as its operation takes them."""
        assert event.operation is not None
        given = {**event.fixed, **values}
        return self._enter(thread, entries.perform(self.system, thread, event.operation, given))

    def _enter(self, thread: Thread, entry: Steps) -> Any:  # noqa: ANN401 - the hook's result
        """Run an entry up to the way back to user mode and return the hook's result."""
        self.system.enter(thread, entry)
        while thread.steps is not None and thread.positions != (entries.RETURN_TO_USER,):
            self.system.advance(thread)
        return thread.result

    def _drain(self, context: ExecutionContext) -> None:
        while context.steps is not None:
            self.system.advance(context)
