"""execve(2): another program in the place of the running one."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from iopermit.machine.cpu.interface import RIP, RSP
from iopermit.machine.errors import KernelError
from iopermit.machine.program import elf
from iopermit.machine.syscalls.path_calls import AT_FDCWD, resolve
from iopermit.machine.syscalls.registry import SystemCall, call
from iopermit.machine.tasks import exits
from iopermit.machine.tasks.process import SignalAction, SignalHandlers, TaskState

if TYPE_CHECKING:
    from iopermit.machine.program.elf import Program

_MOST_ARGUMENTS: Final = 4096


@call("execve", 59, 11, "path arguments environment")
def execve(call: SystemCall, path: int, arguments: int, environment: int) -> int:
    """Execute another program."""
    return _execve(call, resolve(call, AT_FDCWD, call.text(path)), arguments, environment)


@call("execveat", 322, 358, "dirfd path arguments environment flags")
def execveat(
    call: SystemCall, dirfd: int, path: int, arguments: int, environment: int, _flags: int
) -> int:
    """Execute another program, relative to a directory."""
    return _execve(call, resolve(call, dirfd, call.text(path)), arguments, environment)


def _strings(call: SystemCall, address: int) -> list[bytes]:
    result: list[bytes] = []
    while address:
        pointer = call.read_int(address + len(result) * call.word, call.word)
        if not pointer:
            break
        result.append(call.space.read_string(pointer, 131072))
        if len(result) > _MOST_ARGUMENTS:
            raise KernelError(errno.E2BIG)
    return result


def _execve(call: SystemCall, path: str, arguments: int, environment: int) -> int:
    machine, task = call.machine, call.task
    texts, variables = _strings(call, arguments), _strings(call, environment)
    try:
        image = elf.read_image(path)
        space = machine.new_space(image.bits)
        try:
            program = elf.load(
                image, space, texts or [os.fsencode(path)], variables,
                task.credentials, machine.entropy,
            )  # fmt: skip
        except BaseException:
            space.release()
            raise
    except elf.ExecError as error:
        raise KernelError(error.errno) from error
    machine.runner.execve(task.slot)
    _replace(call, program)
    return 0


def _replace(call: SystemCall, program: Program) -> None:
    """Let the process go on in a new program; its other threads end."""
    machine, task, process = call.machine, call.task, call.process
    for other in [t for t in process.tasks if t is not task]:
        exits.abandon(other)
    exits.release_space(process)
    process.space, process.path, process.bits = program.space, program.path, program.bits
    process.name = os.path.basename(program.path)
    process.vfork_done = True
    if process.files.users > 1:
        process.files.users -= 1
        process.files = process.files.copy()
    process.files.exec()
    kept = {n: SignalAction(1) for n, a in process.handlers.actions.items() if a.handler == 1}
    process.handlers = SignalHandlers(kept)
    context = machine.backend.new_context(program.bits)
    context.registers[RIP], context.registers[RSP] = program.start, program.stack
    task.context, task.clear_tid, task.alternate_stack = context, 0, (0, 2, 0)
    task.fpu_frames.clear()
    task.state = TaskState.RUNNABLE
