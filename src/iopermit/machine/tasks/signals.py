"""Signals: which one is next, what it does, and the way into and out of a handler."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Final

from iopermit.machine.cpu.interface import RAX, RIP
from iopermit.machine.memory.areas import BadAddressError
from iopermit.machine.memory.physical import OutOfMemoryError
from iopermit.machine.tasks import exits
from iopermit.machine.tasks.kernel_entry import finish_call
from iopermit.machine.tasks.process import SignalAction, SignalInfo, TaskState
from iopermit.machine.tasks.signal_frames import push_frame

if TYPE_CHECKING:
    from iopermit.machine.tasks.machine import Machine
    from iopermit.machine.tasks.process import UserTask

SIGKILL, SIGSEGV, SIGCHLD, SIGCONT, SIGSTOP = 9, 11, 17, 18, 19
_STOPS: Final = frozenset({SIGSTOP, 20, 21, 22})
_IGNORED: Final = frozenset({SIGCHLD, SIGCONT, 23, 28})
_UNBLOCKABLE: Final = 1 << SIGKILL - 1 | 1 << SIGSTOP - 1
SA_NODEFER, SA_RESETHAND, SA_RESTART = 0x4000_0000, 0x8000_0000, 0x1000_0000
_RESTARTABLE: Final = frozenset({"read", "write", "wait4", "waitid", "waitpid", "futex", "readv"})
_CALL_LENGTH: Final = 2
"""Bytes of SYSCALL and INT 0x80."""


def force(task: UserTask, info: SignalInfo) -> None:
    """Send the signal of an exception; if it is blocked or ignored, the task dies of it."""
    bit = 1 << info.number - 1
    action = task.process.handlers.get(info.number)
    if task.mask & bit or action.handler == 1:
        task.process.handlers.actions[info.number] = SignalAction()
        task.mask &= ~bit
    task.pending.appendleft(info)


def wake_stopped(task: UserTask) -> None:
    """Let a stopped task go on if SIGCONT or SIGKILL came."""
    for queue in (task.pending, task.process.pending):
        if any(info.number in (SIGCONT, SIGKILL) for info in queue):
            task.state = TaskState.BLOCKED if task.wait is not None else TaskState.RUNNABLE


def interrupts(task: UserTask) -> bool:
    """Return whether a signal ends a wait of the task."""
    if task.killed or task.process.ending is not None:
        return True
    for info in (*task.pending, *task.process.pending):
        if not task.mask >> info.number - 1 & 1 and not _is_ignored(task, info.number):
            return True
    return False


def deliver(machine: Machine, task: UserTask) -> None:
    """Do what pending signals demand, before the task goes back to user mode."""
    while task.state is TaskState.RUNNABLE:
        if task.killed or task.process.ending is not None:
            exits.end_task(machine, task, task.process.ending or 0)
            return
        info = _next(task)
        if info is None:
            break
        _act(machine, task, info)
    if task.state is TaskState.RUNNABLE and task.saved_mask is not None and task.call is None:
        task.mask, task.saved_mask = task.saved_mask, None


def _next(task: UserTask) -> SignalInfo | None:
    """Take the next signal that is not blocked; those for the thread come first."""
    for queue in (task.pending, task.process.pending):
        for info in queue:
            if not task.mask >> info.number - 1 & 1 or info.number in (SIGKILL, SIGSTOP):
                queue.remove(info)
                return info
    return None


def _is_ignored(task: UserTask, number: int) -> bool:
    action = task.process.handlers.get(number)
    return action.handler == 1 or (action.handler == 0 and number in _IGNORED)


def _act(machine: Machine, task: UserTask, info: SignalInfo) -> None:
    if _is_ignored(task, info.number):
        return
    action = task.process.handlers.get(info.number)
    machine.strace.signal(task, info)
    if action.handler > 1 and info.number not in (SIGKILL, SIGSTOP):
        _interrupt_call(machine, task, action)
        _enter_handler(machine, task, info, action)
    elif info.number in _STOPS:
        _stop(machine, task, info.number)
    else:
        exits.end_process(task.process, info.number)


def _stop(machine: Machine, task: UserTask, number: int) -> None:
    for other in task.process.tasks:
        if other.state in (TaskState.RUNNABLE, TaskState.BLOCKED):
            other.state = TaskState.STOPPED
    task.process.stop_status = number
    exits.notify_parent(machine, task.process)


def _interrupt_call(machine: Machine, task: UserTask, action: SignalAction) -> None:
    """End the system call that the task waits in: with EINTR, or to be made again."""
    if task.call is None or task.wait is None:
        return
    registers, result = task.context.registers, task.wait.on_signal
    if result is None and action.flags & SA_RESTART and task.call.name in _RESTARTABLE:
        registers[RIP] -= _CALL_LENGTH
        registers[RAX] = task.call.number
        task.call = task.wait = task.wait_data = None
        task.traced = None
        return
    finish_call(machine, task, -errno.EINTR if result is None else result)


def _enter_handler(
    machine: Machine, task: UserTask, info: SignalInfo, action: SignalAction
) -> None:
    saved = task.mask if task.saved_mask is None else task.saved_mask
    try:
        push_frame(machine, task, info, action, saved)
    except (BadAddressError, OutOfMemoryError):
        # Not even the frame can be written: the task dies, whatever it has set up.
        exits.end_process(task.process, SIGSEGV)
        return
    task.saved_mask = None
    task.mask |= action.mask
    if not action.flags & SA_NODEFER:
        task.mask |= 1 << info.number - 1
    task.mask &= ~_UNBLOCKABLE
    if action.flags & SA_RESETHAND:
        task.process.handlers.actions[info.number] = SignalAction()
