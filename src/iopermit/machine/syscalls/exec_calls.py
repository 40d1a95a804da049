"""execve(2): another program in the place of the running one."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from iopermit.machine.cpu.interface import RIP, RSP
from iopermit.machine.errors import KernelError
from iopermit.machine.program import elf
from iopermit.machine.syscalls.files.descriptors import file_of
from iopermit.machine.syscalls.files.path_calls import AT_EMPTY_PATH, AT_FDCWD, base_of
from iopermit.machine.syscalls.registry import SystemCall, call
from iopermit.machine.tasks import exits
from iopermit.machine.tasks.loading import (
    Executable,
    Request,
    executable_file,
    find_executable,
    load_program,
)
from iopermit.machine.tasks.process import SignalAction, SignalHandlers, TaskState

if TYPE_CHECKING:
    from iopermit.machine.program.elf import Program

_MOST_ARGUMENTS: Final = 4096
_MOST_TEXT: Final = 1 << 18
"""Bytes of all arguments; the first stack has less room than that."""


@call("execve", 59, 11, "path arguments environment")
def execve(call: SystemCall, path: int, arguments: int, environment: int) -> int:
    """Execute another program."""
    return execveat(call, AT_FDCWD, path, arguments, environment, 0)


@call("execveat", 322, 358, "dirfd path arguments environment flags")
def execveat(
    call: SystemCall, dirfd: int, path: int, arguments: int, environment: int, flags: int
) -> int:
    """Execute another program, relative to a directory, or one that is open."""
    name = call.text(path)
    texts, variables = _strings(call, arguments), _strings(call, environment)
    if not name and flags & AT_EMPTY_PATH:
        executable = executable_file(call.machine, file_of(call, dirfd))
        name, cwd = executable.path, call.process.cwd
    else:
        if not name:
            return -errno.ENOENT
        cwd = base_of(call, dirfd, name)
        executable = find_executable(call.machine, call.task, cwd, name)
    _execute(call, executable, Request(call.task, cwd, name, texts, variables))
    return 0


def _strings(call: SystemCall, address: int) -> list[bytes]:
    result: list[bytes] = []
    size = 0
    while address:
        pointer = call.read_int(address + len(result) * call.word, call.word)
        if not pointer:
            break
        result.append(call.space.read_string(pointer, 131072))
        size += len(result[-1]) + 1
        if len(result) > _MOST_ARGUMENTS or size > _MOST_TEXT:
            raise KernelError(errno.E2BIG)
    return result


def _execute(call: SystemCall, executable: Executable, request: Request) -> None:
    try:
        program = load_program(call.machine, executable, request)
    except elf.ExecError as error:
        raise KernelError(error.errno) from error
    call.machine.runner.execve(call.task.slot)
    _replace(call, program, os.path.basename(request.path))


def _replace(call: SystemCall, program: Program, name: str) -> None:
    """Let the process go on in a new program; its other threads end."""
    machine, task, process = call.machine, call.task, call.process
    for other in [t for t in process.tasks if t is not task]:
        exits.abandon(other)
    exits.release_space(process)
    process.space, process.path, process.bits = program.space, program.path, program.bits
    process.name = name
    process.arguments_at, process.environment_at = program.arguments_at, program.environment_at
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
