"""Open files: read, write, seek, duplicate, wait for readiness."""

from __future__ import annotations

import errno
import os
import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.files import O_NONBLOCK, HostStream, Pipe, PipeReader, PipeWriter
from iopermit.machine.process import SignalInfo
from iopermit.machine.syscalls.registry import Call, call

if TYPE_CHECKING:
    from iopermit.machine.files import OpenFile

SIGPIPE: Final = 13
_MOST: Final = 1 << 20
"""Bytes that one call moves at most."""
_VECTORS: Final = 1024
O_CLOEXEC: Final = 0o2000000
_TERMINAL: Final = struct.pack("<4IB19s", 0x500, 5, 0xBF, 0x8A3B, 0, bytes(19))
"""termios of a terminal in its usual state."""
TCGETS, TIOCGWINSZ, TIOCGPGRP, FIONREAD = 0x5401, 0x5413, 0x540F, 0x541B
F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC = 0, 1, 2, 3, 4, 1030


def file_of(call: Call, fd: int) -> OpenFile:
    """Return an open file. Raises KernelError (EBADF)."""
    return call.process.files.get(call.signed(fd, 32))


def write_to(call: Call, file: OpenFile, data: bytes) -> int:
    """Write; a pipe without readers raises SIGPIPE. Raises KernelError, Blocked."""
    try:
        return file.write(data)
    except KernelError as error:
        if error.errno == errno.EPIPE:
            call.kernel.post(call.task, SignalInfo(SIGPIPE, 0, (call.process.pid, 0)))
        raise


@call("read", 0, 3, "fd buffer count")
def read(call: Call, fd: int, buffer: int, count: int) -> int:
    """Read."""
    data = file_of(call, fd).read(min(count, _MOST))
    call.space.write(buffer, data)
    return len(data)


@call("write", 1, 4, "fd data count")
def write(call: Call, fd: int, buffer: int, count: int) -> int:
    """Write to a pipe or to standard output or error."""
    return write_to(call, file_of(call, fd), call.space.read(buffer, min(count, _MOST)))


@call("pread64", 17, None, "fd buffer count offset")
def pread64(call: Call, fd: int, buffer: int, count: int, offset: int) -> int:
    """Read from an offset."""
    data = file_of(call, fd).pread(min(count, _MOST), offset)
    call.space.write(buffer, data)
    return len(data)


@call("pread64", None, 180, "fd buffer count low high")
def pread64_32(call: Call, fd: int, buffer: int, count: int, low: int, high: int) -> int:
    """Read from an offset in two halves."""
    return pread64(call, fd, buffer, count, low | high << 32)


def _vector(call: Call, address: int, count: int) -> list[tuple[int, int]]:
    if count > _VECTORS:
        raise KernelError(errno.EINVAL)
    words = call.read_words(address, 2 * count)
    return list(zip(words[::2], words[1::2], strict=True))


@call("readv", 19, 145, "fd vector count")
def readv(call: Call, fd: int, vector: int, count: int) -> int:
    """Read into several buffers."""
    parts = _vector(call, vector, count)
    data = file_of(call, fd).read(min(sum(size for _, size in parts), _MOST))
    done = 0
    for address, size in parts:
        call.space.write(address, data[done : done + size])
        done += size
    return len(data)


@call("writev", 20, 146, "fd vector count")
def writev(call: Call, fd: int, vector: int, count: int) -> int:
    """Write several buffers."""
    parts = _vector(call, vector, count)
    data = b"".join(call.space.read(address, size) for address, size in parts)
    return write_to(call, file_of(call, fd), data[:_MOST])


@call("close", 3, 6, "fd")
def close(call: Call, fd: int) -> int:
    """Close."""
    call.process.files.close(call.signed(fd, 32))
    return 0


@call("close_range", 436, 436, "fd last flags")
def close_range(call: Call, first: int, last: int, _flags: int) -> int:
    """Close a range of descriptors."""
    for descriptor in call.process.files.descriptors():
        if first <= descriptor <= last:
            call.process.files.close(descriptor)
    return 0


@call("lseek", 8, 19, "fd offset whence")
def lseek(call: Call, fd: int, offset: int, whence: int) -> int:
    """Move the position."""
    if whence > os.SEEK_END:
        return -errno.EINVAL
    return file_of(call, fd).seek(call.signed(offset), whence)


@call("_llseek", None, 140, "fd high low result whence")
def llseek(call: Call, fd: int, high: int, low: int, result: int, whence: int) -> int:
    """Move the position by an offset in two halves."""
    offset = call.signed(high << 32 | low, 64)
    call.write_int(result, file_of(call, fd).seek(offset, whence), 8)
    return 0


@call("dup", 32, 41, "oldfd")
def dup(call: Call, old: int) -> int:
    """Duplicate a descriptor."""
    return call.process.files.add(file_of(call, old))


@call("dup2", 33, 63, "oldfd newfd")
def dup2(call: Call, old: int, new: int) -> int:
    """Duplicate a descriptor to a given number."""
    file, new = file_of(call, old), call.signed(new, 32)
    return new if new == old else call.process.files.add(file, at=new)


@call("dup3", 292, 330, "oldfd newfd flags")
def dup3(call: Call, old: int, new: int, flags: int) -> int:
    """Duplicate a descriptor to a given number, with flags."""
    if new == old or flags & ~O_CLOEXEC:
        return -errno.EINVAL
    closes = bool(flags & O_CLOEXEC)
    return call.process.files.add(file_of(call, old), at=call.signed(new, 32), close_on_exec=closes)


@call("pipe", 22, 42, "fds")
def pipe(call: Call, fds: int) -> int:
    """Make a pipe."""
    return pipe2(call, fds, 0)


@call("pipe2", 293, 331, "fds flags")
def pipe2(call: Call, fds: int, flags: int) -> int:
    """Make a pipe, with flags."""
    if flags & ~(O_CLOEXEC | O_NONBLOCK):
        return -errno.EINVAL
    shared, kept, files = Pipe(), flags & O_NONBLOCK, call.process.files
    closes = bool(flags & O_CLOEXEC)
    reader = files.add(PipeReader("pipe:", kept, pipe=shared), close_on_exec=closes)
    writer = files.add(PipeWriter("pipe:", kept | 1, pipe=shared), close_on_exec=closes)
    call.space.write(fds, struct.pack("<ii", reader, writer))
    return 0


@call("fcntl", 72, 55, "fd command argument", "duplicates, descriptor and status flags")
def fcntl(call: Call, fd: int, command: int, argument: int) -> int:
    """Change a descriptor."""
    file, files = file_of(call, fd), call.process.files
    if command in (F_DUPFD, F_DUPFD_CLOEXEC):
        closes = command == F_DUPFD_CLOEXEC
        return files.add(file, close_on_exec=closes, at_least=argument)
    if command == F_GETFD:
        return int(files.close_on_exec(fd))
    if command == F_SETFD:
        files.set_close_on_exec(fd, value=bool(argument & 1))
        return 0
    if command == F_GETFL:
        return file.flags
    if command == F_SETFL:
        file.flags = file.flags & ~O_NONBLOCK | argument & O_NONBLOCK
        return 0
    # Locks: nobody else has the file.
    return 0 if command in (5, 6, 7, 12, 13, 14) else -errno.EINVAL


@call("fcntl64", None, 221, "fd command argument")
def fcntl64(call: Call, fd: int, command: int, argument: int) -> int:
    """Change a descriptor."""
    return fcntl(call, fd, command, argument)


@call("ioctl", 16, 54, "fd request argument", "terminal attributes and size; ENOTTY otherwise")
def ioctl(call: Call, fd: int, request: int, argument: int) -> int:
    """Tell about terminals."""
    file = file_of(call, fd)
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
def fsync(call: Call, fd: int) -> int:
    """Do nothing: there is nothing to write."""
    file_of(call, fd)
    return 0


@call("flock", 73, 143, "fd operation")
def flock(call: Call, fd: int, _operation: int) -> int:
    """Do nothing: nobody else has the file."""
    file_of(call, fd)
    return 0


@call("fadvise64", 221, 250, "fd offset length advice")
def fadvise64(call: Call, fd: int, _offset: int, _length: int, _advice: int) -> int:
    """Do nothing."""
    file_of(call, fd)
    return 0


POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL = 1, 4, 8, 16, 32


def _poll_events(call: Call, fd: int, wanted: int) -> int:
    """Return what is true of a descriptor."""
    if fd < 0:
        return 0
    try:
        file = call.process.files.get(fd)
    except KernelError:
        return POLLNVAL
    events = 0
    if wanted & POLLIN and file.readable() and not isinstance(file, PipeWriter):
        events |= POLLIN
    if wanted & POLLOUT and file.writable() and not isinstance(file, PipeReader):
        events |= POLLOUT
    if file.hung_up():
        events |= POLLERR if isinstance(file, PipeWriter) else POLLHUP
        if isinstance(file, PipeReader) and not file.pipe.size:
            events &= ~POLLIN
    return events


def poll_until(call: Call, fds: int, count: int, timeout: int | None) -> int:
    """Serve poll(2); the timeout is in nanoseconds. Raises Blocked."""
    entries = [
        struct.unpack("<ihh", call.space.read(fds + 8 * i, 8)) for i in range(min(count, 1024))
    ]
    found = [_poll_events(call, fd, events) for fd, events, _ in entries]
    now = call.kernel.clock.monotonic
    if call.task.wait_data is None and timeout is not None:
        call.task.wait_data = now + timeout
    deadline: int | None = call.task.wait_data
    if not any(found) and (deadline is None or now < deadline):
        host = any(
            isinstance(call.process.files.get(fd), HostStream)
            for fd, _, _ in entries
            if fd in call.process.files.descriptors()
        )
        raise Blocked(
            lambda: any(_poll_events(call, fd, events) for fd, events, _ in entries),
            deadline=deadline,
            host=host,
        )
    for i, events in enumerate(found):
        call.write_int(fds + 8 * i + 6, events, 2)
    return sum(1 for events in found if events)


@call("poll", 7, 168, "fds nfds timeout")
def poll(call: Call, fds: int, count: int, timeout: int) -> int:
    """Wait for readiness."""
    milliseconds = call.signed(timeout, 32)
    return poll_until(call, fds, count, None if milliseconds < 0 else milliseconds * 1_000_000)


def select_until(
    call: Call, count: int, sets: tuple[int, int, int], timeout: int | None
) -> int:
    """Serve select(2); the timeout is in nanoseconds. Raises Blocked."""
    wanted = (POLLIN, POLLOUT, 0)
    size = -(-count // call.abi) * call.word
    asked = [call.read_int(address, size) if address else 0 for address in sets]
    limit = range(min(count, 1024))

    def ready() -> list[int]:
        return [
            sum(
                1 << fd
                for fd in limit
                if mask >> fd & 1 and _poll_events(call, fd, kind) & (kind | POLLHUP | POLLERR)
            )
            for mask, kind in zip(asked, wanted, strict=True)
        ]

    found, now = ready(), call.kernel.clock.monotonic
    if call.task.wait_data is None and timeout is not None:
        call.task.wait_data = now + timeout
    deadline: int | None = call.task.wait_data
    if not any(found) and (deadline is None or now < deadline):
        host = any(
            isinstance(call.process.files.get(fd), HostStream)
            for fd in call.process.files.descriptors()
            if (asked[0] | asked[1]) >> fd & 1
        )
        raise Blocked(lambda: any(ready()), deadline=deadline, host=host)
    for address, mask in zip(sets, found, strict=True):
        if address:
            call.write_int(address, mask, size)
    return sum(mask.bit_count() for mask in found)
