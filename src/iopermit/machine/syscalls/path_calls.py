"""Files by name: open, stat, read links and directories. The host is never written to."""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import KernelError
from iopermit.machine.files.open_files import Directory, FileStatus
from iopermit.machine.syscalls.file_calls import O_CLOEXEC, file_of
from iopermit.machine.syscalls.registry import SystemCall, call
from iopermit.machine.tasks import paths

if TYPE_CHECKING:
    from iopermit.machine.files.open_files import OpenFile

AT_FDCWD: Final = -100
AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH = 0x100, 0x1000
_SECOND: Final = 1_000_000_000
_TYPES: Final = {
    stat.S_IFREG: 8, stat.S_IFDIR: 4, stat.S_IFLNK: 10, stat.S_IFCHR: 2, stat.S_IFBLK: 6,
}  # fmt: skip


def resolve(call: SystemCall, dirfd: int, path: str) -> str:
    """Return the absolute path of a name relative to a directory. Raises KernelError."""
    if not path:
        raise KernelError(errno.ENOENT)
    base = call.process.cwd
    number = call.signed(dirfd, 32)
    if number != AT_FDCWD and not path.startswith("/"):
        file = call.process.files.get(number)
        if not isinstance(file, Directory):
            raise KernelError(errno.ENOTDIR)
        base = file.path
    return os.path.join(base, path)


def open_path(call: SystemCall, path: str, flags: int) -> int:
    """Open an absolute path and return the descriptor. Raises KernelError."""
    file: OpenFile = paths.open_file(call.machine, call.task, path, flags)
    closes = bool(flags & O_CLOEXEC)
    return call.process.files.add(file, close_on_exec=closes)


@call("open", 2, 5, "path flags mode", "for reading only; EROFS otherwise")
def open_(call: SystemCall, path: int, flags: int, _mode: int) -> int:
    """Open a file for reading."""
    return open_path(call, resolve(call, AT_FDCWD, call.text(path)), flags)


@call("openat", 257, 295, "dirfd path flags mode", "for reading only; EROFS otherwise")
def openat(call: SystemCall, dirfd: int, path: int, flags: int, _mode: int) -> int:
    """Open a file for reading."""
    return open_path(call, resolve(call, dirfd, call.text(path)), flags)


def _status(call: SystemCall, dirfd: int, path: int, flags: int) -> FileStatus:
    name = call.text(path) if path else ""
    if not name and flags & AT_EMPTY_PATH:
        if call.signed(dirfd, 32) == AT_FDCWD:
            return paths.status(call.machine, call.task, call.process.cwd, follow=True)
        return file_of(call, dirfd).status()
    follow = not flags & AT_SYMLINK_NOFOLLOW
    return paths.status(call.machine, call.task, resolve(call, dirfd, name), follow=follow)


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
            status.special, status.size, 4096, status.blocks, *times,
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


@call("access", 21, 33, "path mode")
def access(call: SystemCall, path: int, mode: int) -> int:
    """Tell whether a file can be used; nothing can be written."""
    return _access(call, AT_FDCWD, path, mode)


@call("faccessat", 269, 307, "dirfd path mode")
def faccessat(call: SystemCall, dirfd: int, path: int, mode: int) -> int:
    """Tell whether a file can be used."""
    return _access(call, dirfd, path, mode)


@call("faccessat2", 439, 439, "dirfd path mode flags")
def faccessat2(call: SystemCall, dirfd: int, path: int, mode: int, _flags: int) -> int:
    """Tell whether a file can be used."""
    return _access(call, dirfd, path, mode)


def _access(call: SystemCall, dirfd: int, path: int, mode: int) -> int:
    name = resolve(call, dirfd, call.text(path))
    status = paths.status(call.machine, call.task, name, follow=True)
    if mode & os.W_OK and not stat.S_ISCHR(status.mode):
        return -errno.EROFS
    if mode & os.R_OK and not paths.may_read(call.task.credentials, status):
        return -errno.EACCES
    if mode & os.X_OK and not status.mode & 0o111:
        return -errno.EACCES
    return 0


@call("readlink", 89, 85, "path buffer size")
def readlink(call: SystemCall, path: int, buffer: int, size: int) -> int:
    """Return the target of a symbolic link."""
    return readlinkat(call, AT_FDCWD, path, buffer, size)


@call("readlinkat", 267, 305, "dirfd path buffer size")
def readlinkat(call: SystemCall, dirfd: int, path: int, buffer: int, size: int) -> int:
    """Return the target of a symbolic link."""
    target = paths.read_link(call.task, resolve(call, dirfd, call.text(path)))
    data = os.fsencode(target)[:size]
    call.space.write(buffer, data)
    return len(data)


@call("getcwd", 79, 183, "buffer size")
def getcwd(call: SystemCall, buffer: int, size: int) -> int:
    """Return the working directory."""
    data = os.fsencode(call.process.cwd) + b"\0"
    if len(data) > size:
        return -errno.ERANGE
    call.space.write(buffer, data)
    return len(data)


@call("chdir", 80, 12, "path")
def chdir(call: SystemCall, path: int) -> int:
    """Change the working directory, of the process in the machine only."""
    name = resolve(call, AT_FDCWD, call.text(path))
    if not stat.S_ISDIR(paths.status(call.machine, call.task, name, follow=True).mode):
        return -errno.ENOTDIR
    call.process.cwd = os.path.normpath(name)
    return 0


@call("fchdir", 81, 133, "fd")
def fchdir(call: SystemCall, fd: int) -> int:
    """Change the working directory to an open one."""
    file = file_of(call, fd)
    if not isinstance(file, Directory):
        return -errno.ENOTDIR
    call.process.cwd = file.path
    return 0


@call("getdents64", 217, 220, "fd buffer count")
def getdents64(call: SystemCall, fd: int, buffer: int, count: int) -> int:
    """Return entries of a directory."""
    file = file_of(call, fd)
    if not isinstance(file, Directory):
        return -errno.ENOTDIR
    data = b""
    for name, inode, kind in file.entries[file.position :]:
        encoded = os.fsencode(name)
        size = (19 + len(encoded) + 1 + 7) // 8 * 8
        if len(data) + size > count:
            break
        file.position += 1
        head = struct.pack("<QqHB", inode, file.position, size, _TYPES.get(kind, 0))
        data += (head + encoded).ljust(size, b"\0")
    if not data and file.position < len(file.entries):
        return -errno.EINVAL
    call.space.write(buffer, data)
    return len(data)


@call("statfs", 137, None, "path buffer")
def statfs(call: SystemCall, path: int, buffer: int) -> int:
    """Tell about a file system: an empty one that is read-only."""
    name = resolve(call, AT_FDCWD, call.text(path))
    paths.status(call.machine, call.task, name, follow=True)
    call.space.write(
        buffer, struct.pack("<15Q", 0xEF53, 4096, 0, 0, 0, 0, 0, 0, 255, 4096, 1, *[0] * 4)
    )
    return 0


@call("umask", 95, 60, "mode")
def umask(call: SystemCall, mode: int) -> int:
    """Change the mask for new files, of which there are none."""
    old, call.process.umask = call.process.umask, mode & 0o777
    return old
