"""Processes and threads: clone and exit."""

from __future__ import annotations

import errno
import struct
from dataclasses import replace
from typing import Final

from iopermit.machine.cpu.interface import FS_BASE, GS_BASE, RAX, RSP
from iopermit.machine.cpu.tables import TLS_ENTRIES
from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.syscalls.registry import SystemCall, call
from iopermit.machine.tasks import exits
from iopermit.machine.tasks.kernel_entry import enter_for_fork
from iopermit.machine.tasks.process import (
    SignalHandlers,
    UserProcess,
    UserTask,
)

CLONE_VM, CLONE_FILES, CLONE_SIGHAND, CLONE_VFORK, CLONE_PARENT = (
    0x100,
    0x400,
    0x800,
    0x4000,
    0x8000,
)
CLONE_THREAD, CLONE_SETTLS, CLONE_PARENT_SETTID = 0x10000, 0x80000, 0x100000
CLONE_CHILD_CLEARTID, CLONE_CHILD_SETTID = 0x200000, 0x1000000
_NAMESPACES: Final = 0x7E02_0000
_EXIT_SIGNAL: Final = 0xFF
ARCH_SET_GS, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS = 0x1001, 0x1002, 0x1003, 0x1004


@call("clone", 56, None, "flags stack parent_tid child_tid tls", "no namespaces")
def clone(
    call: SystemCall, flags: int, stack: int, parent_tid: int, child_tid: int, tls: int
) -> int:
    """Make a process or a thread."""
    return _clone(call, flags, stack, (parent_tid, child_tid), tls)


@call("clone", None, 120, "flags stack parent_tid tls child_tid", "no namespaces")
def clone_32(
    call: SystemCall, flags: int, stack: int, parent_tid: int, tls: int, child_tid: int
) -> int:
    """Make a process or a thread."""
    return _clone(call, flags, stack, (parent_tid, child_tid), tls)


@call("fork", 57, 2)
def fork(call: SystemCall) -> int:
    """Make a process."""
    return _clone(call, 17, 0, (0, 0), 0)


@call("vfork", 58, 190)
def vfork(call: SystemCall) -> int:
    """Make a process that uses the memory of its parent, which waits meanwhile."""
    return _clone(call, 17 | CLONE_VM | CLONE_VFORK, 0, (0, 0), 0)


def _clone(  # noqa: C901, PLR0911 - one condition for each flag
    call: SystemCall, flags: int, stack: int, tids: tuple[int, int], tls: int
) -> int:
    task, machine = call.task, call.machine
    if task.wait_data is not None:
        return _after_vfork(task)
    thread = bool(flags & CLONE_THREAD)
    if flags & _NAMESPACES:
        return -errno.EPERM
    if (thread and not flags & CLONE_SIGHAND) or (flags & CLONE_SIGHAND and not flags & CLONE_VM):
        return -errno.EINVAL
    if task.process.ending is not None:
        return -errno.EAGAIN
    enter_for_fork(machine, task)
    try:
        slot = machine.runner.fork(task.slot)
    except ValueError:
        return -errno.EAGAIN
    if slot is None:
        return -errno.ENOMEM
    child = _child(call, slot, flags)
    registers = child.context.registers
    registers[RAX] = 0
    if stack:
        registers[RSP] = stack
    if flags & CLONE_SETTLS:
        _set_tls(call, child, tls)
    if flags & CLONE_PARENT_SETTID:
        call.write_int(tids[0], child.tid, 4)
    if flags & CLONE_CHILD_SETTID:
        child.process.space.write(tids[1], child.tid.to_bytes(4, "little"))
    if flags & CLONE_CHILD_CLEARTID:
        child.clear_tid = tids[1]
    if flags & CLONE_VFORK:
        child.process.vfork_done = False
        task.wait_data = child.process
        process = child.process
        raise Blocked(lambda: process.vfork_done, on_signal=None)
    return child.tid


def _after_vfork(task: UserTask) -> int:
    """Return to the parent of a vfork, or wait on if a signal woke it too early."""
    process: UserProcess = task.wait_data
    if not process.vfork_done:
        raise Blocked(lambda: process.vfork_done)
    return process.pid


def _child(call: SystemCall, slot: int, flags: int) -> UserTask:
    """Make the task, and its process unless it is a thread."""
    machine, task = call.machine, call.task
    parent, tid = task.process, machine.new_pid()
    context = machine.backend.copy_context(task.context)
    if flags & CLONE_THREAD:
        process = parent
    else:
        process = _new_process(call, tid, flags)
        machine.processes[tid] = process
    child = UserTask(tid, slot, process, context, replace(task.credentials))
    child.affinity, child.mask, child.last_cpu = task.affinity, task.mask, task.last_cpu
    if not flags & CLONE_VM:
        child.alternate_stack = task.alternate_stack
    child.fpu_frames = dict(task.fpu_frames)
    process.tasks.append(child)
    machine.tasks[tid] = child
    return child


def _new_process(call: SystemCall, pid: int, flags: int) -> UserProcess:
    parent = call.process
    if flags & CLONE_VM:
        space = parent.space
        space.users += 1
    else:
        space = parent.space.fork()
    if flags & CLONE_FILES:
        files = parent.files
        files.users += 1
    else:
        files = parent.files.copy()
    handlers: SignalHandlers = parent.handlers if flags & CLONE_SIGHAND else parent.handlers.copy()
    process = UserProcess(
        pid, parent, space, files, handlers, parent.cwd, parent.path, parent.bits,
        parent.umask, parent.group, parent.session, parent.name,
        arguments_at=parent.arguments_at, environment_at=parent.environment_at,
    )  # fmt: skip
    process.exit_signal = flags & _EXIT_SIGNAL
    if flags & CLONE_PARENT and parent.parent is not None:
        process.parent = parent.parent
    if process.parent is not None:
        process.parent.children.append(process)
    return process


def _set_tls(call: SystemCall, child: UserTask, tls: int) -> None:
    if call.abi == 64:
        child.context.registers[FS_BASE] = tls
        return
    number, descriptor = _descriptor(call, tls)
    if number not in TLS_ENTRIES:
        raise KernelError(errno.EINVAL)
    child.context.tls[number - TLS_ENTRIES.start] = descriptor
    # GS was loaded before the descriptor changed; the way back to user mode loads it again.
    child.context.registers[GS_BASE] = descriptor >> 16 & 0xFF_FFFF | descriptor >> 56 << 24


def _descriptor(call: SystemCall, address: int) -> tuple[int, int]:
    """Return the entry number and the descriptor of a struct user_desc."""
    number, base, limit, flags = struct.unpack("<iIII", call.space.read(address, 16))
    wide, contents, read_only, pages, absent, usable = (
        flags & 1, flags >> 1 & 3, flags >> 3 & 1, flags >> 4 & 1, flags >> 5 & 1, flags >> 6 & 1,
    )  # fmt: skip
    if absent and not base and not limit:
        return number, 0
    kind = contents << 2 | (not read_only) << 1 | 1
    descriptor = limit & 0xFFFF | (base & 0xFF_FFFF) << 16 | kind << 40
    descriptor |= 0x70 << 40 | (not absent) << 47 | (limit >> 16 & 0xF) << 48
    descriptor |= usable << 52 | wide << 54 | pages << 55 | (base >> 24) << 56
    return number, descriptor


@call("set_thread_area", None, 243, "descriptor")
def set_thread_area(call: SystemCall, address: int) -> int:
    """Set a thread-local segment."""
    number, descriptor = _descriptor(call, address)
    tls = call.task.context.tls
    if number == -1:
        free = [i for i, other in enumerate(tls) if not other]
        if not free:
            return -errno.ESRCH
        number = TLS_ENTRIES.start + free[0]
        call.write_int(address, number, 4)
    if number not in TLS_ENTRIES:
        return -errno.EINVAL
    tls[number - TLS_ENTRIES.start] = descriptor
    call.machine.backend.flush()
    return 0


@call("arch_prctl", 158, 384, "code address", "FS and GS base")
def arch_prctl(call: SystemCall, code: int, address: int) -> int:
    """Set or get the base of FS or GS."""
    registers = call.task.context.registers
    index = FS_BASE if code in (ARCH_SET_FS, ARCH_GET_FS) else GS_BASE
    if code in (ARCH_SET_FS, ARCH_SET_GS):
        if address >= call.space.top:
            return -errno.EPERM
        registers[index] = address
    elif code in (ARCH_GET_FS, ARCH_GET_GS):
        call.write_int(address, registers[index], 8)
    else:
        return -errno.EINVAL
    return 0


@call("set_tid_address", 218, 258, "address")
def set_tid_address(call: SystemCall, address: int) -> int:
    """Set where the kernel writes zero when the thread ends."""
    call.task.clear_tid = address
    return call.task.tid


@call("set_robust_list", 273, 311, "head size", "noted, never walked")
def set_robust_list(_call: SystemCall, _head: int, _size: int) -> int:
    """Do nothing: no thread dies with a robust lock held that somebody else waits for."""
    return 0


@call("exit", 60, 1, "status")
def exit_(call: SystemCall, status: int) -> int:
    """End the thread."""
    exits.end_task(call.machine, call.task, (status & 0xFF) << 8)
    return 0


@call("exit_group", 231, 252, "status")
def exit_group(call: SystemCall, status: int) -> int:
    """End the process."""
    code = (status & 0xFF) << 8
    exits.end_process(call.process, code)
    exits.end_task(call.machine, call.task, call.process.ending or code)
    return 0
