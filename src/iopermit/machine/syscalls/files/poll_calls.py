"""Waiting for readiness: poll, select and their variants."""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import Blocked, KernelError
from iopermit.machine.files.event_files import readiness
from iopermit.machine.syscalls.registry import SystemCall, call
from iopermit.machine.syscalls.time_calls import read_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_MICROSECOND: Final = 1_000
POLLIN, POLLOUT, POLLERR, POLLHUP, POLLNVAL = 1, 4, 8, 16, 32


def _poll_events(call: SystemCall, fd: int, wanted: int) -> int:
    """Return what is true of a descriptor."""
    if fd < 0:
        return 0
    try:
        file = call.process.files.get(fd)
    except KernelError:
        return POLLNVAL
    return readiness(file) & (wanted | POLLERR | POLLHUP)


def _wait(
    call: SystemCall, fds: Iterable[int], ready: Callable[[], bool], timeout: int | None
) -> None:
    """Wait until descriptors are ready, or the timeout in nanoseconds is over. Raises Blocked.

    The first try keeps the end of the wait in the task, for those after it.
    """
    now = call.machine.clock.monotonic
    if call.task.wait_data is None and timeout is not None:
        call.task.wait_data = now + timeout
    deadline: int | None = call.task.wait_data
    if deadline is not None and now >= deadline:
        return
    table = call.process.files
    known = set(table.descriptors())
    files = [table.get(fd) for fd in fds if fd in known]
    moments = [m for m in (deadline, *(file.ready_at() for file in files)) if m is not None]
    host = any(file.on_host() for file in files)
    raise Blocked(ready, deadline=min(moments, default=None), host=host)


def poll_until(call: SystemCall, fds: int, count: int, timeout: int | None) -> int:
    """Serve poll(2); the timeout is in nanoseconds. Raises Blocked."""
    entries = [
        struct.unpack("<ihh", call.space.read(fds + 8 * i, 8)) for i in range(min(count, 1024))
    ]

    def ready() -> list[int]:
        return [_poll_events(call, fd, events) for fd, events, _ in entries]

    found = ready()
    if not any(found):
        _wait(call, (fd for fd, _, _ in entries), lambda: any(ready()), timeout)
    for i, events in enumerate(found):
        call.write_int(fds + 8 * i + 6, events, 2)
    return sum(1 for events in found if events)


@call("poll", 7, 168, "fds nfds timeout")
def poll(call: SystemCall, fds: int, count: int, timeout: int) -> int:
    """Wait for readiness."""
    milliseconds = call.signed(timeout, 32)
    return poll_until(call, fds, count, None if milliseconds < 0 else milliseconds * 1_000_000)


def select_until(
    call: SystemCall, count: int, sets: tuple[int, int, int], timeout: int | None
) -> int:
    """Serve select(2); the timeout is in nanoseconds. Raises Blocked."""
    if call.signed(count, 32) < 0:
        raise KernelError(errno.EINVAL)
    wanted, count = (POLLIN, POLLOUT, 0), min(count, 1024)
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

    found = ready()
    if not any(found):
        waited_for = (fd for fd in limit if (asked[0] | asked[1]) >> fd & 1)
        _wait(call, waited_for, lambda: any(ready()), timeout)
    for address, mask in zip(sets, found, strict=True):
        if address:
            call.write_int(address, mask, size)
    return sum(mask.bit_count() for mask in found)


def _timeout(call: SystemCall, address: int) -> int | None:
    return read_time(call, address) if address and call.task.wait_data is None else None


@call("ppoll", 271, 309, "fds nfds time mask size", "the mask is ignored")
def ppoll(call: SystemCall, fds: int, count: int, time: int, _mask: int, _size: int) -> int:
    """Wait for readiness."""
    return poll_until(call, fds, count, _timeout(call, time))


@call("pselect6", 270, 308, "nfds read write except time mask", "the mask is ignored")
def pselect6(
    call: SystemCall, count: int, reads: int, writes: int, others: int, time: int, _mask: int
) -> int:
    """Wait for readiness."""
    return select_until(call, count, (reads, writes, others), _timeout(call, time))


@call("select", 23, 142, "nfds read write except time")
def select_(call: SystemCall, count: int, reads: int, writes: int, others: int, time: int) -> int:
    """Wait for readiness."""
    first = call.task.wait_data is None
    amount = read_time(call, time, unit=_MICROSECOND) if time and first else None
    return select_until(call, count, (reads, writes, others), amount)
