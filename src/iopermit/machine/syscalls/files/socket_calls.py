"""Pairs of connected sockets; there are no others."""

from __future__ import annotations

import errno
import struct
from typing import Final

from iopermit.machine.files.event_files import SocketEnd, socket_pair
from iopermit.machine.files.open_files import O_NONBLOCK
from iopermit.machine.syscalls.files.descriptors import add_pair, file_as
from iopermit.machine.syscalls.files.file_calls import read_from, write_to
from iopermit.machine.syscalls.registry import SystemCall, call

AF_UNIX, SOCK_STREAM = 1, 1
SOL_SOCKET, SO_TYPE, SO_ERROR = 1, 3, 4
MSG_DONTWAIT: Final = 0x40
_KIND: Final = 0xF


def _socket(call: SystemCall, fd: int) -> SocketEnd:
    return file_as(call, fd, SocketEnd, errno.ENOTSOCK)


@call("socketpair", 53, 360, "family kind protocol fds", "AF_UNIX, SOCK_STREAM")
def socketpair(call: SystemCall, family: int, kind: int, _protocol: int, fds: int) -> int:
    """Make two sockets that are connected."""
    if family != AF_UNIX:
        return -errno.EAFNOSUPPORT
    if kind & _KIND != SOCK_STREAM:
        return -errno.EPROTONOSUPPORT
    return add_pair(call, fds, socket_pair(call.machine.memory, kind & O_NONBLOCK), kind)


@call("sendto", 44, 369, "fd data size flags address length", "on a pair")
def sendto(
    call: SystemCall, fd: int, data: int, size: int, flags: int, address: int, _length: int
) -> int:
    """Write to the other end."""
    socket = _socket(call, fd)
    if address:
        return -errno.EISCONN
    if flags & MSG_DONTWAIT and not socket.writable():
        return -errno.EAGAIN
    return write_to(call, socket, call.space.read(data, min(size, 1 << 20)))


@call("recvfrom", 45, 371, "fd buffer size flags address length", "on a pair")
def recvfrom(
    call: SystemCall, fd: int, buffer: int, size: int, flags: int, _address: int, length: int
) -> int:
    """Read what the other end wrote."""
    socket = _socket(call, fd)
    if flags & MSG_DONTWAIT and not socket.readable():
        return -errno.EAGAIN
    data = read_from(call, socket, size)
    call.space.write(buffer, data)
    if length:
        call.write_int(length, 0, 4)
    return len(data)


@call("shutdown", 48, 373, "fd value")
def shutdown(call: SystemCall, fd: int, how: int) -> int:
    """End a direction: 0 reading, 1 writing, 2 both."""
    if how not in (0, 1, 2):
        return -errno.EINVAL
    _socket(call, fd).shut_down(reading=how != 1, writing=how != 0)
    return 0


@call("getsockopt", 55, 365, "fd level option buffer size_at", "SO_TYPE and SO_ERROR")
def getsockopt(call: SystemCall, fd: int, level: int, option: int, buffer: int, size: int) -> int:
    """Tell the type, or that there is no error."""
    _socket(call, fd)
    values = {SO_TYPE: SOCK_STREAM, SO_ERROR: 0}
    if level != SOL_SOCKET or option not in values:
        return -errno.ENOPROTOOPT
    call.write_int(buffer, values[option], 4)
    call.write_int(size, 4, 4)
    return 0


@call("setsockopt", 54, 366, "fd level option buffer size", "ignored")
def setsockopt(
    call: SystemCall, fd: int, _level: int, _option: int, _buffer: int, _size: int
) -> int:
    """Do nothing."""
    _socket(call, fd)
    return 0


@call("getsockname", 51, 367, "fd address size_at")
def getsockname(call: SystemCall, fd: int, address: int, size: int) -> int:
    """Tell the name: there is none."""
    _socket(call, fd)
    room = call.read_int(size, 4)
    call.space.write(address, struct.pack("<H", AF_UNIX)[:room])
    call.write_int(size, 2, 4)
    return 0


@call("getpeername", 52, 368, "fd address size_at")
def getpeername(call: SystemCall, fd: int, address: int, size: int) -> int:
    """Tell the name of the other end: there is none."""
    return getsockname(call, fd, address, size)


_BY_NUMBER: Final = {
    6: (getsockname, 3),
    7: (getpeername, 3),
    8: (socketpair, 4),
    9: (sendto, 4),
    10: (recvfrom, 4),
    11: (sendto, 6),
    12: (recvfrom, 6),
    13: (shutdown, 2),
    14: (setsockopt, 5),
    15: (getsockopt, 5),
}
"""Function and number of arguments by the numbers of socketcall(2); send and recv are short."""


@call("socketcall", None, 102, "num arguments", "on pairs; EAFNOSUPPORT otherwise")
def socketcall(call: SystemCall, number: int, arguments: int) -> int:
    """Call one of the others, whose arguments are in memory."""
    if number not in _BY_NUMBER:
        return -errno.EAFNOSUPPORT
    function, count = _BY_NUMBER[number]
    values = call.read_words(arguments, count)
    if function in (sendto, recvfrom):
        values += [0] * (6 - count)
    result: int = function(call, *values)
    return result
