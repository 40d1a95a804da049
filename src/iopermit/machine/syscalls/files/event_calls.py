"""Files of events: epoll, eventfd, timerfd, and files without a name (memfd_create)."""

from __future__ import annotations

import errno
import struct
from typing import Final

from iopermit.machine.clock import EPOCH
from iopermit.machine.errors import Blocked
from iopermit.machine.files.event_files import (
    EventCounter,
    EventPoll,
    TimerFile,
    Watch,
)
from iopermit.machine.files.host_files import HostFile
from iopermit.machine.files.memory_tree import MemoryFile, MemoryHandle
from iopermit.machine.files.open_files import O_NONBLOCK, Directory
from iopermit.machine.syscalls.files.descriptors import O_CLOEXEC, add_file, file_as, file_of
from iopermit.machine.syscalls.registry import SystemCall, call
from iopermit.machine.syscalls.time_calls import read_time, write_time

EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD = 1, 2, 3
EFD_SEMAPHORE, MFD_CLOEXEC, MFD_ALLOW_SEALING = 1, 1, 2
TFD_TIMER_ABSTIME: Final = 1
_REALTIME, _MONOTONIC, _BOOTTIME = 0, 1, 7
_MOST_EVENTS: Final = 1024
_MILLISECOND: Final = 1_000_000


@call("eventfd", 284, 323, "value")
def eventfd(call: SystemCall, value: int) -> int:
    """Make a counter."""
    return eventfd2(call, value, 0)


@call("eventfd2", 290, 328, "value flags")
def eventfd2(call: SystemCall, value: int, flags: int) -> int:
    """Make a counter, with flags."""
    if flags & ~(EFD_SEMAPHORE | O_NONBLOCK | O_CLOEXEC):
        return -errno.EINVAL
    semaphore = bool(flags & EFD_SEMAPHORE)
    kept = 2 | flags & O_NONBLOCK
    file = EventCounter(
        "anon_inode:[eventfd]", kept, value=value & 0xFFFF_FFFF, semaphore=semaphore
    )
    return add_file(call, file, flags)


@call("timerfd_create", 283, 322, "clock flags")
def timerfd_create(call: SystemCall, clock: int, flags: int) -> int:
    """Make a timer."""
    if clock not in (_REALTIME, _MONOTONIC, _BOOTTIME) or flags & ~(O_NONBLOCK | O_CLOEXEC):
        return -errno.EINVAL
    timer = TimerFile(
        "anon_inode:[timerfd]", flags & O_NONBLOCK, clock=call.machine.clock,
        realtime=clock == _REALTIME,
    )  # fmt: skip
    return add_file(call, timer, flags)


def _timer(call: SystemCall, fd: int) -> TimerFile:
    return file_as(call, fd, TimerFile, errno.EINVAL)


def _write_setting(call: SystemCall, timer: TimerFile, address: int, *, wide: bool) -> None:
    now, due = timer.clock.monotonic, timer.due
    if due is not None and timer.interval and due <= now:
        due += timer.expirations() * timer.interval
    left = 0 if due is None else max(due - now, 0)
    size = 8 if wide else call.word
    write_time(call, address, timer.interval, wide=wide)
    write_time(call, address + 2 * size, left, wide=wide)


@call("timerfd_settime", 286, 325, "fd flags new old")
def timerfd_settime(call: SystemCall, fd: int, flags: int, new: int, old: int) -> int:
    """Set a timer."""
    return _set_timer(call, fd, flags, (new, old), wide=False)


@call("timerfd_settime64", None, 411, "fd flags new old")
def timerfd_settime64(call: SystemCall, fd: int, flags: int, new: int, old: int) -> int:
    """Set a timer."""
    return _set_timer(call, fd, flags, (new, old), wide=True)


def _set_timer(call: SystemCall, fd: int, flags: int, at: tuple[int, int], *, wide: bool) -> int:
    timer, (new, old) = _timer(call, fd), at
    size = 8 if wide else call.word
    interval = read_time(call, new, wide=wide)
    value = read_time(call, new + 2 * size, wide=wide)
    if old:
        _write_setting(call, timer, old, wide=wide)
    now = timer.clock.monotonic
    absolute = value - EPOCH if timer.realtime else value
    due = absolute if flags & TFD_TIMER_ABSTIME else now + value
    timer.due, timer.interval = (due if value else None), interval
    return 0


@call("timerfd_gettime", 287, 326, "fd current")
def timerfd_gettime(call: SystemCall, fd: int, current: int) -> int:
    """Tell how a timer is set."""
    _write_setting(call, _timer(call, fd), current, wide=False)
    return 0


@call("timerfd_gettime64", None, 410, "fd current")
def timerfd_gettime64(call: SystemCall, fd: int, current: int) -> int:
    """Tell how a timer is set."""
    _write_setting(call, _timer(call, fd), current, wide=True)
    return 0


@call("epoll_create", 213, 254, "size")
def epoll_create(call: SystemCall, size: int) -> int:
    """Make a set of files."""
    return epoll_create1(call, 0) if call.signed(size, 32) > 0 else -errno.EINVAL


@call("epoll_create1", 291, 329, "flags")
def epoll_create1(call: SystemCall, flags: int) -> int:
    """Make a set of files, with flags."""
    if flags & ~O_CLOEXEC:
        return -errno.EINVAL
    poll = EventPoll("anon_inode:[eventpoll]", charge=call.machine.memory.charge(0))
    return add_file(call, poll, flags)


def _poll(call: SystemCall, fd: int) -> EventPoll:
    return file_as(call, fd, EventPoll, errno.EINVAL)


@call("epoll_ctl", 233, 255, "fd operation newfd event")
def epoll_ctl(  # noqa: PLR0911 - one way out for each operation and mistake
    call: SystemCall, fd: int, operation: int, other: int, event: int
) -> int:
    """Change a set."""
    poll, file, number = _poll(call, fd), file_of(call, other), call.signed(other, 32)
    if file is poll:
        return -errno.EINVAL
    if isinstance(file, Directory | HostFile | MemoryHandle | EventPoll):
        # Regular files are always ready; sets of sets are not served.
        return -errno.EPERM
    known = poll.watches.get(number)
    if known is not None and known.file is not file:
        # The number was given to another file meanwhile.
        del poll.watches[number]
        known = None
    if operation == EPOLL_CTL_DEL:
        return 0 if poll.watches.pop(number, None) else -errno.ENOENT
    events, data = struct.unpack("<IQ", call.space.read(event, 12))
    if operation == EPOLL_CTL_ADD:
        if known is not None:
            return -errno.EEXIST
        poll.watch(number, Watch(file, events, data))
    elif operation == EPOLL_CTL_MOD:
        if known is None:
            return -errno.ENOENT
        known.events, known.data, known.told = events, data, 0
    else:
        return -errno.EINVAL
    return 0


@call("epoll_wait", 232, 256, "fd events count timeout")
def epoll_wait(call: SystemCall, fd: int, events: int, count: int, timeout: int) -> int:
    """Wait for something to tell."""
    milliseconds = call.signed(timeout, 32)
    limit = None if milliseconds < 0 else milliseconds * _MILLISECOND
    return _epoll_wait(call, fd, events, count, limit)


@call("epoll_pwait", 281, 319, "fd events count timeout mask size", "the mask is ignored")
def epoll_pwait(
    call: SystemCall, fd: int, events: int, count: int, timeout: int, _mask: int, _size: int
) -> int:
    """Wait for something to tell."""
    return epoll_wait(call, fd, events, count, timeout)


@call("epoll_pwait2", 441, 441, "fd events count time mask size", "the mask is ignored")
def epoll_pwait2(
    call: SystemCall, fd: int, events: int, count: int, time: int, _mask: int, _size: int
) -> int:
    """Wait for something to tell, for a time in nanoseconds."""
    limit = read_time(call, time, wide=True) if time else None
    return _epoll_wait(call, fd, events, count, limit)


def _epoll_wait(call: SystemCall, fd: int, events: int, count: int, limit: int | None) -> int:
    poll, most = _poll(call, fd), call.signed(count, 32)
    if most <= 0:
        return -errno.EINVAL
    task, now = call.task, call.machine.clock.monotonic
    if task.wait_data is None:
        task.wait_data = (None if limit is None else now + limit,)
    (deadline,) = task.wait_data
    call.space.check(events, 12 * min(most, len(poll.watches) or 1))
    found = poll.ready(min(most, _MOST_EVENTS), take=True)
    if not found and (deadline is None or now < deadline):
        moments = [moment for moment in (deadline, poll.ready_at()) if moment is not None]
        raise Blocked(
            poll.readable, deadline=min(moments, default=None), host=poll.on_host(),
            on_signal=-errno.EINTR,
        )  # fmt: skip
    call.space.write(events, b"".join(struct.pack("<IQ", *pair) for pair in found))
    return len(found)


@call("memfd_create", 319, 356, "path flags", "no sealing, no huge pages")
def memfd_create(call: SystemCall, path: int, flags: int) -> int:
    """Make a file without a name."""
    if flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING):
        return -errno.EINVAL
    name, ids = call.text(path), call.task.credentials
    if len(name) > 249:
        return -errno.EINVAL
    node = MemoryFile(call.machine.namespace.store, 0o777, ids.euid, ids.egid)
    handle = MemoryHandle(f"/memfd:{name} (deleted)", 2, node=node)
    return call.process.files.add(handle, close_on_exec=bool(flags & MFD_CLOEXEC))
