"""Changes of what a file is like: mode, owner, size, times.

Only the machine's own files can be changed; the host's are read-only (EROFS).
"""

from __future__ import annotations

import errno
import stat
import struct
from typing import TYPE_CHECKING, Final

from iopermit.machine.clock import SECOND
from iopermit.machine.errors import KernelError
from iopermit.machine.files.memory_tree import (
    MemoryDirectory,
    MemoryFile,
    MemoryHandle,
    MemoryLink,
)
from iopermit.machine.files.namespace import check
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
    from iopermit.machine.files.nodes import Node

_Kept = MemoryFile | MemoryLink | MemoryDirectory
UTIME_NOW, UTIME_OMIT = 0x3FFF_FFFF, 0x3FFF_FFFE
_KEEP: Final = 0xFFFF_FFFF


def _own(call: SystemCall, dirfd: int, path: int, flags: int) -> _Kept:
    """Return a node whose status the task may change. Raises KernelError."""
    name = call.text(path) if path else ""
    node: Node | None
    if not name and (flags & AT_EMPTY_PATH or not path):
        file = file_of(call, dirfd)
        node = file.node if isinstance(file, MemoryHandle) else None
    else:
        follow = not flags & AT_SYMLINK_NOFOLLOW
        found = find(call, dirfd, name, WalkPurpose.STATUS, follow=follow)
        found.status()
        node = found.node
    if not isinstance(node, MemoryFile | MemoryLink | MemoryDirectory):
        raise KernelError(errno.EROFS)
    if call.task.credentials.euid not in (0, node.status().uid):
        raise KernelError(errno.EPERM)
    return node


def _change_mode(node: _Kept, mode: int) -> int:
    status = node.status()
    status.mode = stat.S_IFMT(status.mode) | mode & 0o7777
    return 0


@call("chmod", 90, 15, "path mode")
def chmod(call: SystemCall, path: int, mode: int) -> int:
    """Change the mode."""
    return _change_mode(_own(call, AT_FDCWD, path, 0), mode)


@call("fchmod", 91, 94, "fd mode")
def fchmod(call: SystemCall, fd: int, mode: int) -> int:
    """Change the mode."""
    return _change_mode(_own(call, fd, 0, AT_EMPTY_PATH), mode)


@call("fchmodat", 268, 306, "dirfd path mode")
def fchmodat(call: SystemCall, dirfd: int, path: int, mode: int) -> int:
    """Change the mode."""
    return _change_mode(_own(call, dirfd, path, 0), mode)


def _change_owner(call: SystemCall, node: _Kept, uid: int, gid: int) -> int:
    if call.task.credentials.euid != 0:
        return -errno.EPERM
    status = node.status()
    if uid & _KEEP != _KEEP:
        status.uid = uid & _KEEP
    if gid & _KEEP != _KEEP:
        status.gid = gid & _KEEP
    return 0


@call("chown", 92, 182, "path uid gid")
def chown(call: SystemCall, path: int, uid: int, gid: int) -> int:
    """Change the owner."""
    return _change_owner(call, _own(call, AT_FDCWD, path, 0), uid, gid)


@call("lchown", 94, 16, "path uid gid")
def lchown(call: SystemCall, path: int, uid: int, gid: int) -> int:
    """Change the owner of a link."""
    return _change_owner(call, _own(call, AT_FDCWD, path, AT_SYMLINK_NOFOLLOW), uid, gid)


@call("fchown", 93, 95, "fd uid gid")
def fchown(call: SystemCall, fd: int, uid: int, gid: int) -> int:
    """Change the owner."""
    return _change_owner(call, _own(call, fd, 0, AT_EMPTY_PATH), uid, gid)


@call("fchownat", 260, 298, "dirfd path uid gid flags")
def fchownat(call: SystemCall, dirfd: int, path: int, uid: int, gid: int, flags: int) -> int:
    """Change the owner."""
    return _change_owner(call, _own(call, dirfd, path, flags), uid, gid)


@call("truncate", 76, 92, "path length")
def truncate(call: SystemCall, path: int, length: int) -> int:
    """Change the size of a file."""
    size = call.signed(length)
    found = find(call, AT_FDCWD, call.text(path), WalkPurpose.STATUS)
    status = found.status()
    if stat.S_ISDIR(status.mode):
        return -errno.EISDIR
    if not isinstance(found.node, MemoryFile):
        return -errno.EROFS
    check(call.task, status, 2)
    if size < 0:
        return -errno.EINVAL
    found.node.truncate(size)
    return 0


@call("ftruncate", 77, 93, "fd length")
def ftruncate(call: SystemCall, fd: int, length: int) -> int:
    """Change the size of an open file."""
    size = call.signed(length)
    if size < 0:
        return -errno.EINVAL
    file_of(call, fd).truncate(size)
    return 0


@call("ftruncate64", None, 194, "fd low high")
def ftruncate64(call: SystemCall, fd: int, low: int, high: int) -> int:
    """Change the size of an open file, given in two halves."""
    size = call.signed(low | high << 32, 64)
    if size < 0:
        return -errno.EINVAL
    file_of(call, fd).truncate(size)
    return 0


@call("fallocate", 285, 324, "fd mode offset length", "extends; no other modes")
def fallocate(call: SystemCall, fd: int, mode: int, offset: int, length: int) -> int:
    """Make a file at least so long."""
    file, offset, length = file_of(call, fd), call.signed(offset), call.signed(length)
    if offset < 0 or length <= 0:
        return -errno.EINVAL
    if mode or not isinstance(file, MemoryHandle):
        return -errno.EOPNOTSUPP
    if file.file.size < offset + length:
        file.truncate(offset + length)
    return 0


def _set_times(call: SystemCall, node: _Kept, times: int, unit: int) -> int:
    """Set access and modification time, in seconds and nanoseconds or microseconds (unit)."""
    now, status = call.machine.clock.realtime, node.status()
    moments = [now, now]
    if times:
        form = "<qqqq" if call.word == 8 else "<iiii"
        numbers = struct.unpack(form, call.space.read(times, struct.calcsize(form)))
        before = (status.accessed, status.modified)
        for i in range(2):
            seconds, rest = numbers[2 * i : 2 * i + 2]
            moments[i] = int(seconds) * SECOND + int(rest) * unit
            if unit == 1 and rest in (UTIME_NOW, UTIME_OMIT):
                moments[i] = now if rest == UTIME_NOW else before[i]
            elif not 0 <= rest * unit < SECOND:
                return -errno.EINVAL
    status.accessed, status.modified = moments
    return 0


@call("utimensat", 280, 320, "dirfd path times flags")
def utimensat(call: SystemCall, dirfd: int, path: int, times: int, flags: int) -> int:
    """Set the times of a file."""
    return _set_times(call, _own(call, dirfd, path, flags), times, 1)


@call("utimes", 235, 271, "path times")
def utimes(call: SystemCall, path: int, times: int) -> int:
    """Set the times of a file."""
    return _set_times(call, _own(call, AT_FDCWD, path, 0), times, 1000)


@call("utime", 132, 30, "path times")
def utime(call: SystemCall, path: int, times: int) -> int:
    """Set the times of a file, in seconds."""
    node = _own(call, AT_FDCWD, path, 0)
    moment = call.machine.clock.realtime
    status = node.status()
    accessed = modified = moment
    if times:
        seconds = call.read_words(times, 2)
        accessed, modified = (call.signed(value) * SECOND for value in seconds)
    status.accessed, status.modified = accessed, modified
    return 0
