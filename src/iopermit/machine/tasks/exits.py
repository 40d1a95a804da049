"""How tasks and processes end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.machine.memory.areas import BadAddressError
from iopermit.machine.tasks.process import SignalInfo, TaskState, post

if TYPE_CHECKING:
    from iopermit.machine.tasks.machine import Machine
    from iopermit.machine.tasks.process import UserProcess, UserTask

SIGCHLD: Final = 17
SA_NOCLDWAIT: Final = 2
_CLD_EXITED, _CLD_KILLED, _CLD_STOPPED = 1, 2, 5


def end_process(process: UserProcess, status: int) -> None:
    """Let every task of a process end; `status` as in wait4(2)."""
    if process.ending is None:
        process.ending = status


def end_task(machine: Machine, task: UserTask, status: int) -> None:
    """End a task; with the last one its process becomes a zombie."""
    process = task.process
    if task.traced is not None:
        machine.strace.leave(task, None)
    machine.futexes.forget(task)
    if task.clear_tid and not task.killed:
        _clear_tid(machine, task)
    machine.runner.exit_in_kernel(task.slot)
    task.state = TaskState.DEAD
    task.call = task.wait = None
    del machine.tasks[task.tid]
    process.tasks.remove(task)
    task.fpu_frames.clear()
    if process.tasks:
        return
    machine.strace.end(task, status)
    process.exit_status = status
    release_space(process)
    process.files.release()
    process.vfork_done = True
    _orphan(machine, process)
    notify_parent(machine, process)


def abandon(task: UserTask) -> None:
    """End a thread because another one of its process executes a new program."""
    task.killed = True


def release_space(process: UserProcess) -> None:
    """Let go of the memory of a process."""
    process.space.users -= 1
    if not process.space.users:
        process.space.release()


def notify_parent(machine: Machine, process: UserProcess) -> None:
    """Send SIGCHLD to the parent; a parent that ignores it needs not wait."""
    parent = process.parent
    if parent is None or parent.exit_status is not None:
        if process is not machine.init and process.exit_status is not None:
            machine.processes.pop(process.pid, None)
        return
    action = parent.handlers.get(SIGCHLD)
    if process.exit_status is not None and (action.handler == 1 or action.flags & SA_NOCLDWAIT):
        parent.children.remove(process)
        machine.processes.pop(process.pid, None)
    if process.exit_signal and action.handler != 1:
        post(parent, child_info(process))


def child_info(process: UserProcess) -> SignalInfo:
    """Return what SIGCHLD and waitid(2) tell about a child."""
    if process.exit_status is None:
        code, status = _CLD_STOPPED, process.stop_status or 0
    elif process.exit_status & 0x7F:
        code, status = _CLD_KILLED, process.exit_status & 0x7F
    else:
        code, status = _CLD_EXITED, process.exit_status >> 8
    return SignalInfo(process.exit_signal or SIGCHLD, code, (process.pid, 0, status))


def _orphan(machine: Machine, process: UserProcess) -> None:
    """Give the children of a process to the first one."""
    init = machine.init
    for child in process.children:
        child.parent = init if init is not process else None
        if child.parent is not None:
            child.parent.children.append(child)
    process.children.clear()


def _clear_tid(machine: Machine, task: UserTask) -> None:
    """Do what CLONE_CHILD_CLEARTID asks for: who joins the thread waits for this."""
    try:
        task.process.space.write(task.clear_tid, bytes(4))
    except BadAddressError:
        return
    machine.futexes.wake(task.process, task.clear_tid)
