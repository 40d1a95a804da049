"""What stat(2) and its relatives tell about files and file systems."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.cpu.interface import MASK_64
from iopermit.machine.isolation.walks import WalkPurpose
from iopermit.machine.syscalls.files.descriptors import file_of
from iopermit.machine.syscalls.files.path_calls import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_SYMLINK_NOFOLLOW,
    find,
)
from iopermit.machine.syscalls.registry import SystemCall, call

if TYPE_CHECKING:
    from iopermit.machine.file_status import FileStatus

_SECOND: Final = 1_000_000_000
_FILE_SYSTEM: Final = (0xEF53, 4096, 0, 0, 0, 0, 0, 0, 255, 4096, 1)
"""Type, block size, no blocks, no files, name length, and read-only, as statfs(2) tells them."""


def _status(call: SystemCall, dirfd: int, path: int, flags: int) -> FileStatus:
    name = call.text(path) if path else ""
    if not name and flags & AT_EMPTY_PATH:
        if call.signed(dirfd, 32) != AT_FDCWD:
            return file_of(call, dirfd).status()
        name = "."
    follow = not flags & AT_SYMLINK_NOFOLLOW
    return find(call, dirfd, name, WalkPurpose.STATUS, follow=follow).status()


def _times(status: FileStatus) -> list[int]:
    pairs = (divmod(t, _SECOND) for t in (status.accessed, status.modified, status.changed))
    return [number for pair in pairs for number in pair]


def _pack_stat(call: SystemCall, status: FileStatus) -> bytes:
    """Return struct stat of x86-64, or struct stat64 of i386."""
    times = _times(status)
    if call.abi == 64:
        return struct.pack(
            "<QQQIIIIQqqq6Q24x",
            status.device, status.inode, status.links, status.mode, status.uid, status.gid, 0,
            status.special, status.size, 4096, status.blocks, *(t & MASK_64 for t in times),
        )  # fmt: skip
    return struct.pack(
        "<Q4xIIIIIQ4xqIQ6IQ",
        status.device, status.inode & 0xFFFF_FFFF, status.mode, status.links, status.uid,
        status.gid, status.special, status.size, 4096, status.blocks,
        *(t & 0xFFFF_FFFF for t in times), status.inode,
    )  # fmt: skip


def _stat(call: SystemCall, dirfd: int, path: int, buffer: int, flags: int) -> int:
    call.space.write(buffer, _pack_stat(call, _status(call, dirfd, path, flags)))
    return 0


@call("stat", 4, None, "path buffer")
def stat_(call: SystemCall, path: int, buffer: int) -> int:
    """Tell about a file."""
    return _stat(call, AT_FDCWD, path, buffer, 0)


@call("lstat", 6, None, "path buffer")
def lstat(call: SystemCall, path: int, buffer: int) -> int:
    """Tell about a file or a symbolic link."""
    return _stat(call, AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW)


@call("stat64", None, 195, "path buffer")
def stat64(call: SystemCall, path: int, buffer: int) -> int:
    """Tell about a file."""
    return _stat(call, AT_FDCWD, path, buffer, 0)


@call("lstat64", None, 196, "path buffer")
def lstat64(call: SystemCall, path: int, buffer: int) -> int:
    """Tell about a file or a symbolic link."""
    return _stat(call, AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW)


@call("newfstatat", 262, None, "dirfd path buffer flags")
def newfstatat(call: SystemCall, dirfd: int, path: int, buffer: int, flags: int) -> int:
    """Tell about a file."""
    return _stat(call, dirfd, path, buffer, flags)


@call("fstatat64", None, 300, "dirfd path buffer flags")
def fstatat64(call: SystemCall, dirfd: int, path: int, buffer: int, flags: int) -> int:
    """Tell about a file."""
    return _stat(call, dirfd, path, buffer, flags)


@call("fstat", 5, None, "fd buffer")
def fstat(call: SystemCall, fd: int, buffer: int) -> int:
    """Tell about an open file."""
    call.space.write(buffer, _pack_stat(call, file_of(call, fd).status()))
    return 0


@call("fstat64", None, 197, "fd buffer")
def fstat64(call: SystemCall, fd: int, buffer: int) -> int:
    """Tell about an open file."""
    return fstat(call, fd, buffer)


@call("statx", 332, 383, "dirfd path flags mask buffer")
def statx(call: SystemCall, dirfd: int, path: int, flags: int, _mask: int, buffer: int) -> int:
    """Tell about a file."""
    status = _status(call, dirfd, path, flags)
    times = _times(status)
    stamps = b"".join(
        struct.pack("<qI4x", seconds, rest)
        for seconds, rest in (times[0:2], (0, 0), times[4:6], times[2:4])
    )
    data = struct.pack(
        "<IIQIIIHxxQQQQ",
        0x7FF, 4096, 0, status.links, status.uid, status.gid, status.mode, status.inode,
        status.size, status.blocks, 0,
    )  # fmt: skip
    special = (os.major(status.special), os.minor(status.special))
    device = (os.major(status.device), os.minor(status.device))
    call.space.write(
        buffer, (data + stamps + struct.pack("<4I", *special, *device)).ljust(256, b"\0")
    )
    return 0


@call("statfs", 137, None, "path buffer")
def statfs(call: SystemCall, path: int, buffer: int) -> int:
    """Tell about a file system: an empty one that is read-only."""
    find(call, AT_FDCWD, call.text(path), WalkPurpose.STATUS).status()
    call.space.write(buffer, struct.pack("<15Q", *_FILE_SYSTEM, *[0] * 4))
    return 0


@call("fstatfs", 138, None, "fd buffer")
def fstatfs(call: SystemCall, fd: int, buffer: int) -> int:
    """Tell about the file system of an open file."""
    file_of(call, fd)
    call.space.write(buffer, struct.pack("<15Q", *_FILE_SYSTEM, *[0] * 4))
    return 0


@call("statfs64", None, 268, "path size buffer")
def statfs64(call: SystemCall, path: int, size: int, buffer: int) -> int:
    """Tell about a file system."""
    find(call, AT_FDCWD, call.text(path), WalkPurpose.STATUS).status()
    kind, block, *rest = _FILE_SYSTEM
    data = struct.pack("<2I5Q5I", kind, block, *rest[:5], 0, 0, *rest[6:9])
    call.space.write(buffer, data.ljust(84, b"\0")[: min(size, 84)])
    return 0
