"""File descriptors that system calls are given or return."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, TypeVar

from iopermit.machine.errors import KernelError

if TYPE_CHECKING:
    from iopermit.machine.files.open_files import OpenFile
    from iopermit.machine.syscalls.registry import SystemCall

O_CLOEXEC: Final = 0o2000000

_File = TypeVar("_File", bound="OpenFile")


def file_of(call: SystemCall, fd: int) -> OpenFile:
    """Return an open file. Raises KernelError (EBADF)."""
    return call.process.files.get(call.signed(fd, 32))


def file_as(call: SystemCall, fd: int, kind: type[_File], error: int) -> _File:
    """Return an open file of one kind.

    Raises:
        KernelError: nothing is open (EBADF), or a file of another kind (``error``).
    """
    file = file_of(call, fd)
    if not isinstance(file, kind):
        raise KernelError(error)
    return file


def add_file(call: SystemCall, file: OpenFile, flags: int) -> int:
    """Return a new descriptor, closed at execve() if the flags have O_CLOEXEC.

    Raises:
        KernelError: there is no free one (EMFILE).
        OutOfMemoryError: there is no memory for the entry.
    """
    return call.process.files.add(file, close_on_exec=bool(flags & O_CLOEXEC))


def add_pair(call: SystemCall, fds: int, pair: tuple[OpenFile, OpenFile], flags: int) -> int:
    """Write two new descriptors to memory and return 0; if that fails, none stays open.

    Raises:
        KernelError: there are not two free ones (EMFILE), or the address is bad (EFAULT).
        OutOfMemoryError: there is no memory for the entries.
    """
    call.space.check(fds, 8)
    first = add_file(call, pair[0], flags)
    try:
        second = add_file(call, pair[1], flags)
    except BaseException:
        call.process.files.close(first)
        raise
    call.space.write(fds, struct.pack("<ii", first, second))
    return 0
