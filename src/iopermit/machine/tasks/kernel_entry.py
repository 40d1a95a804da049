"""The ways of a task into the design's kernel, and the way a system call returns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.machine.cpu.interface import MASK_32, MASK_64, RAX
from iopermit.machine.tasks.process import TaskState
from iopermit.system.execution import Mode

if TYPE_CHECKING:
    from iopermit.machine.tasks.machine import Machine
    from iopermit.machine.tasks.process import UserTask


def enter(machine: Machine, task: UserTask) -> None:
    """Let the design see that a task entered the kernel, unless it has seen that."""
    if machine.system.threads[task.slot].mode is Mode.USER:
        machine.runner.other_call(task.slot)


def enter_for_fork(machine: Machine, task: UserTask) -> None:
    """Let a task be where the design's fork hook expects it: coming from user mode."""
    if machine.system.threads[task.slot].mode is Mode.KERNEL:
        machine.runner.return_to_user(task.slot)


def finish_call(machine: Machine, task: UserTask, result: int | None) -> None:
    """Let a system call return (None: registers were set otherwise)."""
    machine.futexes.forget(task)
    task.call = task.wait = task.wait_data = None
    if task.state is TaskState.DEAD:
        return
    if result is not None:
        task.context.registers[RAX] = result & (MASK_64 if task.bits == 64 else MASK_32)
    machine.strace.leave(task, result)
    enter(machine, task)
