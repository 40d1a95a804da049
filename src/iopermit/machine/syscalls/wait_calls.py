"""Waiting for children and on futexes."""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.clock import EPOCH, SECOND
from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.syscalls.registry import SystemCall, call
from iopermit.machine.tasks.exits import child_info
from iopermit.machine.tasks.signal_frames import siginfo

if TYPE_CHECKING:
    from iopermit.machine.tasks.process import UserProcess

WNOHANG, WUNTRACED, WEXITED, WNOWAIT = 1, 2, 4, 0x0100_0000
P_ALL, P_PID, P_PGID = 0, 1, 2
FUTEX_WAIT, FUTEX_WAKE, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE, FUTEX_WAKE_OP = 0, 1, 3, 4, 5
FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET = 9, 10
FUTEX_CLOCK_REALTIME: Final = 256
_PRIVATE: Final = 128


def _matching(call: SystemCall, pid: int) -> list[UserProcess]:
    """Return the children that a pid argument of wait4(2) means."""
    children = call.process.children
    if pid > 0:
        return [child for child in children if child.pid == pid]
    if pid == -1:
        return list(children)
    group = call.process.group if pid == 0 else -pid
    return [child for child in children if child.group == group]


def _ended(children: list[UserProcess], options: int) -> UserProcess | None:
    for child in children:
        if child.exit_status is not None:
            return child
        if options & WUNTRACED and child.stop_status is not None:
            return child
    return None


def _reap(call: SystemCall, child: UserProcess) -> None:
    if child.exit_status is not None:
        call.process.children.remove(child)
        call.machine.processes.pop(child.pid, None)
    child.stop_status = None


def _wait(call: SystemCall, pid: int, options: int) -> UserProcess | None:
    """Return the child that ended; None with WNOHANG. Raises KernelError, Blocked."""
    children = _matching(call, pid)
    if not children:
        raise KernelError(errno.ECHILD)
    found = _ended(children, options)
    if found is None and not options & WNOHANG:
        raise Blocked(lambda: _ended(_matching(call, pid) or children, options) is not None)
    return found


@call("wait4", 61, 114, "pid status_at options usage")
def wait4(call: SystemCall, pid: int, status: int, options: int, usage: int) -> int:
    """Wait for a child."""
    child = _wait(call, call.signed(pid, 32), options)
    if child is None:
        return 0
    code = child.exit_status
    if code is None:
        code = (child.stop_status or 0) << 8 | 0x7F
    if status:
        call.write_int(status, code, 4)
    if usage:
        call.space.write(usage, bytes(144 if call.abi == 64 else 72))
    _reap(call, child)
    return child.pid


@call("waitpid", None, 7, "pid status_at options")
def waitpid(call: SystemCall, pid: int, status: int, options: int) -> int:
    """Wait for a child."""
    return wait4(call, pid, status, options, 0)


@call("waitid", 247, 284, "which id info options usage")
def waitid(call: SystemCall, which: int, number: int, info: int, options: int, _usage: int) -> int:
    """Wait for a child, and tell how it ended."""
    if which not in (P_ALL, P_PID, P_PGID) or not options & (WEXITED | WUNTRACED):
        return -errno.EINVAL
    pid = {P_ALL: -1, P_PID: number, P_PGID: -number}[which]
    child = _wait(call, pid, options)
    if child is None:
        if info:
            call.space.write(info, bytes(128))
        return 0
    if info:
        call.space.write(info, siginfo(child_info(child), call.abi))
    if not options & WNOWAIT:
        _reap(call, child)
    return 0


@call(
    "futex", 202, 240, "address operation value timeout address2 value3", "no priority inheritance"
)
def futex(  # noqa: PLR0911 - one way out for each operation
    call: SystemCall,
    address: int,
    operation: int,
    value: int,
    timeout: int,
    second: int,
    value3: int,
) -> int:
    """Wait for a word to change, or wake who waits."""
    command = operation & ~(FUTEX_CLOCK_REALTIME | _PRIVATE)
    if address % 4:
        return -errno.EINVAL
    machine, value = call.machine, value & 0xFFFF_FFFF
    if command in (FUTEX_WAIT, FUTEX_WAIT_BITSET):
        return _futex_wait(call, address, operation, value, timeout)
    if command in (FUTEX_WAKE, FUTEX_WAKE_BITSET):
        return machine.futexes.wake(call.process, address, value)
    if command in (FUTEX_REQUEUE, FUTEX_CMP_REQUEUE):
        if command == FUTEX_CMP_REQUEUE and call.read_int(address, 4) != value3 & 0xFFFF_FFFF:
            return -errno.EAGAIN
        woken = machine.futexes.wake(call.process, address, value)
        return woken + machine.futexes.requeue(call.process, (address, second), timeout)
    if command == FUTEX_WAKE_OP:
        return _wake_op(call, (address, second), (value, timeout), value3)
    return -errno.ENOSYS


def _futex_wait(call: SystemCall, address: int, operation: int, value: int, timeout: int) -> int:
    task, machine = call.task, call.machine
    if task.wait_data is None:
        if call.read_int(address, 4) != value:
            return -errno.EAGAIN
        deadline = _deadline(call, operation, timeout) if timeout else None
        task.wait_data = (deadline,)
        machine.futexes.add(call.process, address, task)
        raise Blocked(lambda: not machine.futexes.waits(task), deadline=deadline)
    (deadline,) = task.wait_data
    if not machine.futexes.waits(task):
        return 0
    if deadline is not None and deadline <= machine.clock.monotonic:
        machine.futexes.forget(task)
        return -errno.ETIMEDOUT
    raise Blocked(lambda: not machine.futexes.waits(task), deadline=deadline)


def _deadline(call: SystemCall, operation: int, timeout: int) -> int:
    """Return the moment at which a wait is over: relative for FUTEX_WAIT, else absolute."""
    word = call.word
    seconds, rest = struct.unpack("<qq" if word == 8 else "<ii", call.space.read(timeout, 2 * word))
    moment = int(seconds) * SECOND + int(rest)
    if operation & ~(FUTEX_CLOCK_REALTIME | _PRIVATE) == FUTEX_WAIT:
        return call.machine.clock.monotonic + moment
    return moment - EPOCH if operation & FUTEX_CLOCK_REALTIME else moment


def _wake_op(
    call: SystemCall, addresses: tuple[int, int], counts: tuple[int, int], encoded: int
) -> int:
    """Change a word, wake on the first, and on the second if the old value compares."""
    operation, compare = encoded >> 28 & 7, encoded >> 24 & 0xF
    operand = call.signed(encoded >> 12 & 0xFFF, 12)
    if encoded >> 31 & 1:
        operand = 1 << operand
    old = call.read_int(addresses[1], 4)
    new = (operand, old + operand, old | operand, old & ~operand, old ^ operand)[operation]
    call.write_int(addresses[1], new, 4)
    against = call.signed(encoded & 0xFFF, 12)
    holds = (
        old == against, old != against, old < against,
        old <= against, old > against, old >= against,
    )[compare]  # fmt: skip
    machine, process = call.machine, call.process
    woken = machine.futexes.wake(process, addresses[0], counts[0])
    return woken + (machine.futexes.wake(process, addresses[1], counts[1]) if holds else 0)
