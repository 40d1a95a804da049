"""Open files: read, write, seek, duplicate, wait for readiness."""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.files.host_files import HostStream
from iopermit.machine.files.open_files import O_APPEND, O_NONBLOCK
from iopermit.machine.files.pipes import Pipe, PipeReader, PipeWriter
from iopermit.machine.syscalls.files.descriptors import O_CLOEXEC, add_pair, file_of
from iopermit.machine.syscalls.registry import SystemCall, call
from iopermit.machine.tasks.process import SignalInfo, post

if TYPE_CHECKING:
    from iopermit.machine.files.open_files import OpenFile

SIGPIPE: Final = 13
_MOST: Final = 1 << 20
"""Bytes that one call moves at most."""
_VECTORS: Final = 1024
_TERMINAL: Final = struct.pack("<4IB19s", 0x500, 5, 0xBF, 0x8A3B, 0, bytes(19))
"""termios of a terminal in its usual state."""
TCGETS, TIOCGWINSZ, TIOCGPGRP = 0x5401, 0x5413, 0x540F
FIONBIO, FIONCLEX, FIOCLEX = 0x5421, 0x5450, 0x5451
F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC = 0, 1, 2, 3, 4, 1030


def write_to(call: SystemCall, file: OpenFile, data: bytes) -> int:
    """Write everything, waiting as often as needed unless the file is not to block.

    A pipe without readers raises SIGPIPE. What was written before a wait is kept in the task.

    Raises:
        KernelError: nothing could be written.
        Blocked: the rest has to wait; a signal handler ends the call with what was written.
    """
    if not file.can_write():
        raise KernelError(errno.EBADF)
    done: int = call.task.wait_data or 0
    try:
        while True:
            done += file.write(data[done:])
            if done >= len(data) or file.flags & O_NONBLOCK:
                return done
    except Blocked as wait:
        call.task.wait_data = done
        on_signal = done or wait.on_signal
        raise Blocked(
            wait.ready, deadline=wait.deadline, host=wait.host, on_signal=on_signal
        ) from None
    except KernelError as error:
        file.missed += error.errno == errno.EAGAIN
        if error.errno == errno.EPIPE:
            post(call.task, SignalInfo(SIGPIPE, 0, (call.process.pid, 0)))
        if done and error.errno != errno.EPIPE:
            return done
        raise


def read_from(call: SystemCall, file: OpenFile, size: int) -> bytes:
    """Read. Raises KernelError, Blocked."""
    if not file.can_read():
        raise KernelError(errno.EBADF)
    try:
        return file.read(min(size, _MOST))
    except KernelError as error:
        file.missed += error.errno == errno.EAGAIN
        raise


@call("read", 0, 3, "fd buffer count")
def read(call: SystemCall, fd: int, buffer: int, count: int) -> int:
    """Read."""
    data = read_from(call, file_of(call, fd), count)
    call.space.write(buffer, data)
    return len(data)


@call("write", 1, 4, "fd data count")
def write(call: SystemCall, fd: int, buffer: int, count: int) -> int:
    """Write."""
    return write_to(call, file_of(call, fd), call.space.read(buffer, min(count, _MOST)))


@call("pread64", 17, None, "fd buffer count offset")
def pread64(call: SystemCall, fd: int, buffer: int, count: int, offset: int) -> int:
    """Read from an offset."""
    file, start = file_of(call, fd), call.signed(offset, 64)
    if start < 0:
        return -errno.EINVAL
    if not file.can_read():
        return -errno.EBADF
    data = file.pread(min(count, _MOST), start)
    call.space.write(buffer, data)
    return len(data)


@call("pread64", None, 180, "fd buffer count low high")
def pread64_32(call: SystemCall, fd: int, buffer: int, count: int, low: int, high: int) -> int:
    """Read from an offset in two halves."""
    return pread64(call, fd, buffer, count, low | high << 32)


@call("pwrite64", 18, None, "fd data count offset")
def pwrite64(call: SystemCall, fd: int, buffer: int, count: int, offset: int) -> int:
    """Write at an offset."""
    file, start = file_of(call, fd), call.signed(offset, 64)
    if start < 0:
        return -errno.EINVAL
    if not file.can_write():
        return -errno.EBADF
    return file.pwrite(call.space.read(buffer, min(count, _MOST)), start)


@call("pwrite64", None, 181, "fd data count low high")
def pwrite64_32(call: SystemCall, fd: int, buffer: int, count: int, low: int, high: int) -> int:
    """Write at an offset in two halves."""
    return pwrite64(call, fd, buffer, count, low | high << 32)


def _vector(call: SystemCall, address: int, count: int) -> list[tuple[int, int]]:
    if count > _VECTORS:
        raise KernelError(errno.EINVAL)
    words = call.read_words(address, 2 * count)
    parts = list(zip(words[::2], words[1::2], strict=True))
    if sum(size for _, size in parts) >> (call.abi - 1):
        raise KernelError(errno.EINVAL)
    return parts


@call("readv", 19, 145, "fd vector count")
def readv(call: SystemCall, fd: int, vector: int, count: int) -> int:
    """Read into several buffers."""
    parts = _vector(call, vector, count)
    data = read_from(call, file_of(call, fd), sum(size for _, size in parts))
    done = 0
    for address, size in parts:
        call.space.write(address, data[done : done + size])
        done += size
    return len(data)


@call("writev", 20, 146, "fd vector count")
def writev(call: SystemCall, fd: int, vector: int, count: int) -> int:
    """Write several buffers."""
    parts = _vector(call, vector, count)
    file, data = file_of(call, fd), b""
    for address, size in parts:
        data += call.space.read(address, min(size, _MOST - len(data)))
    return write_to(call, file, data)


@call("close", 3, 6, "fd")
def close(call: SystemCall, fd: int) -> int:
    """Close."""
    call.process.files.close(call.signed(fd, 32))
    return 0


@call("close_range", 436, 436, "fd last flags")
def close_range(call: SystemCall, first: int, last: int, _flags: int) -> int:
    """Close a range of descriptors."""
    for descriptor in call.process.files.descriptors():
        if first <= descriptor <= last:
            call.process.files.close(descriptor)
    return 0


@call("lseek", 8, 19, "fd offset whence")
def lseek(call: SystemCall, fd: int, offset: int, whence: int) -> int:
    """Move the position."""
    return file_of(call, fd).seek(call.signed(offset), call.signed(whence, 32))


@call("_llseek", None, 140, "fd high low result whence")
def llseek(call: SystemCall, fd: int, high: int, low: int, result: int, whence: int) -> int:
    """Move the position by an offset in two halves."""
    offset = call.signed(high << 32 | low, 64)
    call.write_int(result, file_of(call, fd).seek(offset, call.signed(whence, 32)), 8)
    return 0


@call("dup", 32, 41, "oldfd")
def dup(call: SystemCall, old: int) -> int:
    """Duplicate a descriptor."""
    return call.process.files.add(file_of(call, old))


@call("dup2", 33, 63, "oldfd newfd")
def dup2(call: SystemCall, old: int, new: int) -> int:
    """Duplicate a descriptor to a given number."""
    file, new = file_of(call, old), call.signed(new, 32)
    return new if new == call.signed(old, 32) else call.process.files.add(file, at=new)


@call("dup3", 292, 330, "oldfd newfd flags")
def dup3(call: SystemCall, old: int, new: int, flags: int) -> int:
    """Duplicate a descriptor to a given number, with flags."""
    if new == old or flags & ~O_CLOEXEC:
        return -errno.EINVAL
    closes = bool(flags & O_CLOEXEC)
    return call.process.files.add(file_of(call, old), at=call.signed(new, 32), close_on_exec=closes)


@call("pipe", 22, 42, "fds")
def pipe(call: SystemCall, fds: int) -> int:
    """Make a pipe."""
    return pipe2(call, fds, 0)


@call("pipe2", 293, 331, "fds flags")
def pipe2(call: SystemCall, fds: int, flags: int) -> int:
    """Make a pipe, with flags."""
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        return -errno.EINVAL
    shared, kept = Pipe(call.machine.memory), flags & O_NONBLOCK
    reader = PipeReader(shared.name, kept, pipe=shared)
    return add_pair(call, fds, (reader, PipeWriter(shared.name, kept | 1, pipe=shared)), flags)


@call("fcntl", 72, 55, "fd command argument", "duplicates, descriptor and status flags")
def fcntl(call: SystemCall, fd: int, command: int, argument: int) -> int:
    """Change a descriptor."""
    file, files = file_of(call, fd), call.process.files
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        closes, least = command == F_DUPFD_CLOEXEC, call.signed(argument, 32)
        return files.add(file, close_on_exec=closes, at_least=least)
    if command == F_GETFD:
        return int(files.close_on_exec(call.signed(fd, 32)))
    if command == F_SETFD:
        files.set_close_on_exec(call.signed(fd, 32), value=bool(argument & 1))
        return 0
    if command == F_GETFL:
        return file.flags
    if command == F_SETFL:
        changed = O_NONBLOCK | O_APPEND
        file.flags = file.flags & ~changed | argument & changed
        return 0
    # Locks: nobody else has the file.
    return 0 if command in (5, 6, 7, 12, 13, 14) else -errno.EINVAL


@call("fcntl64", None, 221, "fd command argument")
def fcntl64(call: SystemCall, fd: int, command: int, argument: int) -> int:
    """Change a descriptor."""
    return fcntl(call, fd, command, argument)


@call("ioctl", 16, 54, "fd request argument", "terminal attributes and size, FIONBIO, FIOCLEX")
def ioctl(call: SystemCall, fd: int, request: int, argument: int) -> int:
    """Tell about terminals, or set flags."""
    file, number = file_of(call, fd), call.signed(fd, 32)
    request &= 0xFFFF_FFFF
    if request in (FIOCLEX, FIONCLEX):
        call.process.files.set_close_on_exec(number, value=request == FIOCLEX)
        return 0
    if request == FIONBIO:
        wanted = O_NONBLOCK if call.read_int(argument, 4) else 0
        file.flags = file.flags & ~O_NONBLOCK | wanted
        return 0
    if not isinstance(file, HostStream) or not file.is_terminal():
        return -errno.ENOTTY
    if request == TCGETS:
        call.space.write(argument, _TERMINAL)
    elif request == TIOCGWINSZ:
        call.space.write(argument, struct.pack("<4H", 24, 80, 0, 0))
    elif request == TIOCGPGRP:
        call.write_int(argument, call.process.group, 4)
    else:
        return -errno.ENOTTY
    return 0


@call("fsync", 74, 118, "fd")
def fsync(call: SystemCall, fd: int) -> int:
    """Do nothing: there is nothing to write."""
    file_of(call, fd)
    return 0


@call("flock", 73, 143, "fd operation")
def flock(call: SystemCall, fd: int, _operation: int) -> int:
    """Do nothing: nobody else has the file."""
    file_of(call, fd)
    return 0


@call("fadvise64", 221, 250, "fd offset length advice")
def fadvise64(call: SystemCall, fd: int, _offset: int, _length: int, _advice: int) -> int:
    """Do nothing."""
    file_of(call, fd)
    return 0
