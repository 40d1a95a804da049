"""Signals: handlers, masks, sending, alternate stacks."""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.cpu.interface import RAX
from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.memory.areas import BadAddressError
from iopermit.machine.syscalls.registry import SystemCall, call
from iopermit.machine.tasks.exits import end_process
from iopermit.machine.tasks.process import SIGNALS, SignalAction, SignalInfo, post
from iopermit.machine.tasks.signal_frames import pop_frame, siginfo

if TYPE_CHECKING:
    from iopermit.machine.tasks.process import UserProcess, UserTask

SIGKILL, SIGSEGV, SIGSTOP = 9, 11, 19
_UNBLOCKABLE: Final = 1 << SIGKILL - 1 | 1 << SIGSTOP - 1
SI_USER, SI_TKILL = 0, -6
SS_ONSTACK, SS_DISABLE = 1, 2
_SMALLEST_STACK: Final = 2048


@call("rt_sigaction", 13, 174, "signal action old size")
def rt_sigaction(call: SystemCall, number: int, action: int, old: int, size: int) -> int:
    """Set what a signal does."""
    if size != 8:
        return -errno.EINVAL
    form = "<QQQQ" if call.word == 8 else "<IIIQ"
    return _sigaction(call, number, action, old, form)


@call("sigaction", None, 67, "signal action old")
def sigaction(call: SystemCall, number: int, action: int, old: int) -> int:
    """Set what a signal does, in the old structure."""
    if not 1 <= number <= SIGNALS:
        return -errno.EINVAL
    actions = call.process.handlers.actions
    before = call.process.handlers.get(number)
    if action:
        handler, mask, flags, restorer = struct.unpack("<4I", call.space.read(action, 16))
        if number in (SIGKILL, SIGSTOP):
            return -errno.EINVAL
        actions[number] = SignalAction(handler, flags, restorer, mask)
    if old:
        data = (before.handler, before.mask & 0xFFFF_FFFF, before.flags, before.restorer)
        call.space.write(old, struct.pack("<4I", *data))
    return 0


@call("signal", None, 48, "signal handler")
def signal_(call: SystemCall, number: int, handler: int) -> int:
    """Set what a signal does, once."""
    if not 1 <= number <= SIGNALS or number in (SIGKILL, SIGSTOP):
        return -errno.EINVAL
    before = call.process.handlers.get(number)
    call.process.handlers.actions[number] = SignalAction(handler, 0xC000_0000)
    return before.handler


def _sigaction(call: SystemCall, number: int, action: int, old: int, form: str) -> int:
    if not 1 <= number <= SIGNALS:
        return -errno.EINVAL
    before = call.process.handlers.get(number)
    if action:
        if number in (SIGKILL, SIGSTOP):
            return -errno.EINVAL
        data = struct.unpack(form, call.space.read(action, struct.calcsize(form)))
        call.process.handlers.actions[number] = SignalAction(*data)
    if old:
        fields = (before.handler, before.flags, before.restorer, before.mask)
        call.space.write(old, struct.pack(form, *fields))
    return 0


@call("rt_sigprocmask", 14, 175, "how set old size")
def rt_sigprocmask(call: SystemCall, how: int, new: int, old: int, size: int) -> int:
    """Change the blocked signals."""
    if size != 8:
        return -errno.EINVAL
    task = call.task
    before = task.mask
    if new:
        mask = call.read_int(new, 8)
        masks = (before | mask, before & ~mask, mask)
        if how >= len(masks):
            return -errno.EINVAL
        task.mask = masks[how] & ~_UNBLOCKABLE
    if old:
        call.write_int(old, before, 8)
    return 0


@call("rt_sigreturn", 15, 173)
def rt_sigreturn(call: SystemCall) -> int:
    """Go back from a signal handler."""
    return _sigreturn(call, info=True)


@call("sigreturn", None, 119)
def sigreturn(call: SystemCall) -> int:
    """Go back from a signal handler without siginfo."""
    return _sigreturn(call, info=False)


def _sigreturn(call: SystemCall, *, info: bool) -> int:
    try:
        pop_frame(call.machine, call.task, info=info)
    except BadAddressError:
        end_process(call.process, SIGSEGV)
        return -errno.EFAULT
    return int(call.task.context.registers[RAX])


@call("rt_sigpending", 127, 176, "set size")
def rt_sigpending(call: SystemCall, address: int, _size: int) -> int:
    """Tell the pending signals that are blocked."""
    queues = (*call.task.pending, *call.process.pending)
    mask = 0
    for info in queues:
        mask |= 1 << info.number - 1
    call.write_int(address, mask & call.task.mask, 8)
    return 0


@call("rt_sigsuspend", 130, 179, "mask size")
def rt_sigsuspend(call: SystemCall, mask: int, _size: int) -> int:
    """Wait for a signal with another mask."""
    if call.task.saved_mask is None:
        call.task.saved_mask = call.task.mask
        call.task.mask = call.read_int(mask, 8) & ~_UNBLOCKABLE
    raise Blocked(lambda: False, on_signal=-errno.EINTR)


@call("pause", 34, 29)
def pause(_call: SystemCall) -> int:
    """Wait for a signal."""
    raise Blocked(lambda: False, on_signal=-errno.EINTR)


@call("rt_sigtimedwait", 128, 177, "set info timeout size")
def rt_sigtimedwait(call: SystemCall, mask: int, info: int, timeout: int, _size: int) -> int:
    """Take a pending signal, or wait for one."""
    wanted, task, now = call.read_int(mask, 8), call.task, call.machine.clock.monotonic
    for queue in (task.pending, task.process.pending):
        for pending in queue:
            if wanted >> pending.number - 1 & 1:
                queue.remove(pending)
                if info:
                    call.space.write(info, siginfo(pending, call.abi))
                return pending.number
    if task.wait_data is None and timeout:
        seconds, rest = call.read_words(timeout, 2)
        task.wait_data = now + seconds * 1_000_000_000 + rest
    deadline: int | None = task.wait_data
    if deadline is not None and now >= deadline:
        return -errno.EAGAIN

    def ready() -> bool:
        queues = (*task.pending, *task.process.pending)
        return any(wanted >> other.number - 1 & 1 for other in queues)

    raise Blocked(ready, deadline=deadline)


@call("sigaltstack", 131, 186, "new old")
def sigaltstack(call: SystemCall, new: int, old: int) -> int:
    """Set the stack for handlers with SA_ONSTACK."""
    task, form = call.task, "<Qi4xQ" if call.word == 8 else "<IiI"
    address, flags, size = task.alternate_stack
    if old:
        call.space.write(old, struct.pack(form, address, flags, size))
    if new:
        address, flags, size = struct.unpack(form, call.space.read(new, struct.calcsize(form)))
        if flags & ~(SS_ONSTACK | SS_DISABLE | -0x8000_0000):
            return -errno.EINVAL
        if flags & SS_DISABLE:
            address, size = 0, 0
        elif size < _SMALLEST_STACK:
            return -errno.ENOMEM
        task.alternate_stack = (address, flags & SS_DISABLE, size)
    return 0


def _may_signal(call: SystemCall, target: UserProcess) -> bool:
    own, theirs = call.task.credentials, target.tasks[0].credentials if target.tasks else None
    return own.euid == 0 or theirs is None or theirs.uid in (own.uid, own.euid)


def _post(call: SystemCall, target: UserProcess | UserTask, number: int, code: int) -> int:
    if number > SIGNALS:
        return -errno.EINVAL
    if number:
        own = (call.process.pid, call.task.credentials.uid)
        post(target, SignalInfo(number, code, own))
    return 0


@call("kill", 62, 37, "pid signal", "tasks of the machine only")
def kill(call: SystemCall, pid: int, number: int) -> int:
    """Send a signal to a process or to a group."""
    target, processes = call.signed(pid, 32), call.machine.processes
    if target > 0:
        found = [processes[target]] if target in processes else []
    elif target == -1:
        spared = (call.process, call.machine.init)
        found = [process for process in processes.values() if process not in spared]
    else:
        group = -target or call.process.group
        found = [p for p in processes.values() if p.group == group]
    if not found:
        return -errno.ESRCH
    allowed = [process for process in found if _may_signal(call, process)]
    if not allowed:
        return -errno.EPERM
    return max(_post(call, process, number, SI_USER) for process in allowed)


def _thread(call: SystemCall, tid: int) -> UserTask:
    task = call.machine.tasks.get(call.signed(tid, 32))
    if task is None:
        raise KernelError(errno.ESRCH)
    return task


@call("tkill", 200, 238, "tid signal")
def tkill(call: SystemCall, tid: int, number: int) -> int:
    """Send a signal to a thread."""
    return _post(call, _thread(call, tid), number, SI_TKILL)


@call("tgkill", 234, 270, "tgid tid signal")
def tgkill(call: SystemCall, tgid: int, tid: int, number: int) -> int:
    """Send a signal to a thread of a process."""
    task = _thread(call, tid)
    if task.process.pid != call.signed(tgid, 32):
        return -errno.ESRCH
    return _post(call, task, number, SI_TKILL)
