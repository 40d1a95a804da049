"""Files by name: open, stat, read links and directories, the working directory."""

from __future__ import annotations

import errno
import os
import stat
import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import KernelError
from iopermit.machine.files.host_files import HostFile
from iopermit.machine.files.memory_tree import MemoryFile
from iopermit.machine.files.namespace import Found, check
from iopermit.machine.files.nodes import FileNode, LinkNode
from iopermit.machine.files.open_files import ACCESS_MODE, Directory
from iopermit.machine.isolation.walks import WalkPurpose
from iopermit.machine.syscalls.files.descriptors import O_CLOEXEC, file_as
from iopermit.machine.syscalls.registry import SystemCall, call

if TYPE_CHECKING:
    from iopermit.machine.files.open_files import OpenFile

AT_FDCWD: Final = -100
AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH = 0x100, 0x1000
_MAKES: Final = os.O_CREAT | os.O_EXCL | os.O_TRUNC
O_TMPFILE: Final = 0o20000000
O_PATH: Final = 0o10000000
_OPEN_FLAGS: Final = 0o77777777
_TYPES: Final = {
    stat.S_IFREG: 8, stat.S_IFDIR: 4, stat.S_IFLNK: 10, stat.S_IFCHR: 2, stat.S_IFBLK: 6,
    stat.S_IFIFO: 1, stat.S_IFSOCK: 12,
}  # fmt: skip


def base_of(call: SystemCall, dirfd: int, path: str) -> str:
    """Return the directory that a path begins at. Raises KernelError."""
    if call.signed(dirfd, 32) == AT_FDCWD or path.startswith("/"):
        return call.process.cwd
    return file_as(call, dirfd, Directory, errno.ENOTDIR).path


def find(
    call: SystemCall, dirfd: int, path: str, operation: WalkPurpose, *, follow: bool = True
) -> Found:
    """Return what a path leads to, from a directory. Raises KernelError."""
    if not path:
        raise KernelError(errno.ENOENT)
    base = base_of(call, dirfd, path)
    return call.machine.namespace.find(call.task, base, path, operation, follow=follow)


def open_path(call: SystemCall, dirfd: int, path: str, flags: int, mode: int) -> int:
    """Open a file, make it if that is asked for, and return a descriptor. Raises KernelError."""
    files, closes = call.process.files, bool(flags & O_CLOEXEC)
    flags &= _OPEN_FLAGS & ~O_CLOEXEC
    file = open_file(call, dirfd, path, flags, mode)
    return files.add(file, close_on_exec=closes)


def open_file(call: SystemCall, dirfd: int, path: str, flags: int, mode: int) -> OpenFile:
    """Return an open file. Raises KernelError."""
    if flags & O_TMPFILE and flags & ACCESS_MODE:
        raise KernelError(errno.EOPNOTSUPP)
    exclusive = bool(flags & os.O_CREAT and flags & os.O_EXCL)
    follow = not (flags & os.O_NOFOLLOW or exclusive)
    writes = bool(flags & ACCESS_MODE or flags & os.O_TRUNC)
    operation = WalkPurpose.STATUS if writes or flags & O_PATH else WalkPurpose.OPEN
    found = find(call, dirfd, path, operation, follow=follow)
    if not found.exists:
        return _make(call, found, path, flags, mode)
    if exclusive:
        raise KernelError(errno.EEXIST)
    return _open_found(call, found, flags)


def _open_found(call: SystemCall, found: Found, flags: int) -> OpenFile:
    status, writes = found.status(), bool(flags & ACCESS_MODE or flags & os.O_TRUNC)
    if stat.S_ISDIR(status.mode):
        if writes or flags & os.O_CREAT:
            raise KernelError(errno.EISDIR)
        if found.node is not None and not flags & O_PATH:
            check(call.task, status, 4)
        entries = [] if flags & O_PATH else call.machine.namespace.entries(call.task, found)
        dots = [(".", status.inode, stat.S_IFDIR), ("..", status.inode, stat.S_IFDIR)]
        return Directory(found.path, flags, entries=dots + entries, kept_status=status)
    if flags & os.O_DIRECTORY:
        raise KernelError(errno.ENOTDIR)
    if stat.S_ISLNK(status.mode):
        raise KernelError(errno.ELOOP)
    if found.answer is not None:
        return _open_host(found, flags, writes=writes)
    assert isinstance(found.node, FileNode)
    needed = 4 * (flags & ACCESS_MODE != os.O_WRONLY) | 2 * writes
    check(call.task, status, 0 if flags & O_PATH else needed)
    return found.node.open(call.task, found.path, flags)


def _open_host(found: Found, flags: int, *, writes: bool) -> OpenFile:
    if writes:
        raise KernelError(errno.EROFS)
    answer = found.answer
    assert answer is not None
    assert answer.status is not None
    if answer.descriptor < 0:
        # With O_PATH nothing was opened; otherwise there was no room for one more descriptor.
        raise KernelError(errno.EINVAL if flags & O_PATH else errno.ENFILE)
    kept = flags & ~(_MAKES | os.O_NOFOLLOW)
    return HostFile(found.path, kept, descriptor=answer.descriptor, kept_status=answer.status)


def _make(call: SystemCall, found: Found, path: str, flags: int, mode: int) -> OpenFile:
    """Make a regular file with the name that nothing has, and open it. Raises KernelError."""
    if not flags & os.O_CREAT:
        raise KernelError(errno.ENOENT)
    if path.endswith("/"):
        raise KernelError(errno.EISDIR)
    namespace, ids = call.machine.namespace, call.task.credentials
    parent = namespace.parent_for_new(call.task, found)
    permissions = mode & ~call.process.umask & 0o7777
    file = MemoryFile(namespace.store, permissions, ids.euid, ids.egid)
    parent.add(found.name, file)
    return file.open(call.task, found.path, flags)


@call("open", 2, 5, "path flags mode", "host files for reading only; EROFS otherwise")
def open_(call: SystemCall, path: int, flags: int, mode: int) -> int:
    """Open a file."""
    return open_path(call, AT_FDCWD, call.text(path), flags, mode)


@call("openat", 257, 295, "dirfd path flags mode", "host files for reading only; EROFS otherwise")
def openat(call: SystemCall, dirfd: int, path: int, flags: int, mode: int) -> int:
    """Open a file."""
    return open_path(call, dirfd, call.text(path), flags, mode)


@call("openat2", 437, 437, "dirfd path how size", "without its RESOLVE flags: EINVAL")
def openat2(call: SystemCall, dirfd: int, path: int, how: int, size: int) -> int:
    """Open a file, with flags, mode and resolve flags in a structure."""
    if size < 24:
        return -errno.EINVAL
    if size > 24 and any(call.space.read(how + 24, min(size, 4096) - 24)):
        return -errno.E2BIG
    flags, mode, resolve = struct.unpack("<QQQ", call.space.read(how, 24))
    if resolve or flags & ~_OPEN_FLAGS or (mode and not flags & os.O_CREAT) or mode & ~0o7777:
        return -errno.EINVAL
    return open_path(call, dirfd, call.text(path), flags, mode)


@call("creat", 85, 8, "path mode")
def creat(call: SystemCall, path: int, mode: int) -> int:
    """Make a file and open it for writing."""
    flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
    return open_path(call, AT_FDCWD, call.text(path), flags, mode)


@call("access", 21, 33, "path mode")
def access(call: SystemCall, path: int, mode: int) -> int:
    """Tell whether a file can be used; nothing of the host can be written."""
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
    name = call.text(path)
    if mode & ~7 & 0xFFFF_FFFF:
        return -errno.EINVAL
    found = find(call, dirfd, name, WalkPurpose.STATUS)
    status = found.status()
    if mode & os.W_OK and found.answer is not None and not stat.S_ISCHR(status.mode):
        return -errno.EROFS
    check(call.task, status, mode & 7)
    if found.answer is not None and mode & os.R_OK and not stat.S_ISLNK(status.mode):
        # The broker knows what is shown.
        opened = find(call, dirfd, name, WalkPurpose.OPEN).answer
        if opened is not None and opened.descriptor >= 0:
            os.close(opened.descriptor)
    return 0


@call("readlink", 89, 85, "path buffer size")
def readlink(call: SystemCall, path: int, buffer: int, size: int) -> int:
    """Return the target of a symbolic link."""
    return readlinkat(call, AT_FDCWD, path, buffer, size)


@call("readlinkat", 267, 305, "dirfd path buffer size")
def readlinkat(call: SystemCall, dirfd: int, path: int, buffer: int, size: int) -> int:
    """Return the target of a symbolic link."""
    size = call.signed(size, 32)
    if size <= 0:
        return -errno.EINVAL
    found = find(call, dirfd, call.text(path), WalkPurpose.LINK, follow=False)
    if isinstance(found.node, LinkNode):
        target = found.node.target(call.task)
    elif found.answer is not None:
        target = found.answer.target
    else:
        return -errno.ENOENT
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
    found = find(call, AT_FDCWD, call.text(path), WalkPurpose.SEARCH)
    if not found.exists:
        return -errno.ENOENT
    call.process.cwd = found.path
    return 0


@call("fchdir", 81, 133, "fd")
def fchdir(call: SystemCall, fd: int) -> int:
    """Change the working directory to an open one."""
    file = file_as(call, fd, Directory, errno.ENOTDIR)
    check(call.task, file.status(), 1)
    call.process.cwd = file.path
    return 0


@call("getdents64", 217, 220, "fd buffer count")
def getdents64(call: SystemCall, fd: int, buffer: int, count: int) -> int:
    """Return entries of a directory."""
    file = file_as(call, fd, Directory, errno.ENOTDIR)
    data, position = b"", file.position
    for name, inode, kind in file.entries[position:]:
        encoded = os.fsencode(name)
        size = (19 + len(encoded) + 1 + 7) // 8 * 8
        if len(data) + size > count:
            break
        position += 1
        head = struct.pack("<QqHB", inode, position, size, _TYPES.get(kind, 0))
        data += (head + encoded).ljust(size, b"\0")
    if not data and position < len(file.entries):
        return -errno.EINVAL
    call.space.write(buffer, data)
    file.position = position
    return len(data)


@call("umask", 95, 60, "mode")
def umask(call: SystemCall, mode: int) -> int:
    """Change the mask for new files."""
    old, call.process.umask = call.process.umask, mode & 0o777
    return old
