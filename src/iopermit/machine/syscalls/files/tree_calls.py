"""Changes of the tree of names: what is made, removed and renamed.

Only the machine's own trees can be changed; the host's files are read-only (EROFS).
"""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import KernelError
from iopermit.machine.files.memory_tree import (
    MemoryDirectory,
    MemoryFile,
    MemoryLink,
    UnionDirectory,
)
from iopermit.machine.files.namespace import check
from iopermit.machine.isolation.walks import WalkPurpose
from iopermit.machine.syscalls.files.path_calls import (
    AT_FDCWD,
    find,
)
from iopermit.machine.syscalls.registry import SystemCall, call

if TYPE_CHECKING:
    from iopermit.machine.credentials import Credentials
    from iopermit.machine.files.namespace import Found
    from iopermit.machine.files.nodes import Node

_Kept = MemoryFile | MemoryLink | MemoryDirectory
AT_REMOVEDIR, AT_SYMLINK_FOLLOW = 0x200, 0x400
RENAME_NOREPLACE: Final = 1
UTIME_NOW, UTIME_OMIT = 0x3FFF_FFFF, 0x3FFF_FFFE
_KEEP: Final = 0xFFFF_FFFF


def _new(call: SystemCall, dirfd: int, path: str) -> tuple[Found, MemoryDirectory]:
    """Return the place of something new, and its directory. Raises KernelError."""
    found = find(call, dirfd, path, WalkPurpose.STATUS, follow=False)
    if found.exists:
        raise KernelError(errno.EEXIST)
    parent = call.machine.namespace.parent_for_new(call.task, found)
    if not isinstance(parent, MemoryDirectory):
        raise KernelError(errno.EACCES)
    return found, parent


def _old(call: SystemCall, dirfd: int, path: str) -> tuple[Found, MemoryDirectory]:
    """Return what is to be taken away, and its directory. Raises KernelError."""
    found = find(call, dirfd, path, WalkPurpose.STATUS, follow=False)
    if not found.exists:
        raise KernelError(errno.ENOENT)
    upper = found.path.rpartition("/")[0] or "/"
    parent = call.machine.namespace.find(call.task, "/", upper, WalkPurpose.STATUS).node
    if found.node is None or not isinstance(parent, MemoryDirectory):
        raise KernelError(errno.EROFS)
    status = parent.status()
    check(call.task, status, 3)
    own = call.task.credentials.euid
    if status.mode & stat.S_ISVTX and own not in (0, status.uid, found.node.status().uid):
        raise KernelError(errno.EPERM)
    return found, parent


def _credentials(call: SystemCall) -> Credentials:
    return call.task.credentials


@call("mkdir", 83, 39, "path mode")
def mkdir(call: SystemCall, path: int, mode: int) -> int:
    """Make a directory."""
    return mkdirat(call, AT_FDCWD, path, mode)


@call("mkdirat", 258, 296, "dirfd path mode")
def mkdirat(call: SystemCall, dirfd: int, path: int, mode: int) -> int:
    """Make a directory."""
    found, parent = _new(call, dirfd, call.text(path))
    ids, store = _credentials(call), call.machine.namespace.store
    node = MemoryDirectory(store, mode & ~call.process.umask & 0o1777, ids.euid, ids.egid)
    parent.add(found.name, node)
    return 0


@call("symlink", 88, 83, "target path")
def symlink(call: SystemCall, target: int, path: int) -> int:
    """Make a symbolic link."""
    return symlinkat(call, target, AT_FDCWD, path)


@call("symlinkat", 266, 304, "target dirfd path")
def symlinkat(call: SystemCall, target: int, dirfd: int, path: int) -> int:
    """Make a symbolic link."""
    text = call.text(target)
    if not text:
        return -errno.ENOENT
    found, parent = _new(call, dirfd, call.text(path))
    ids, store = _credentials(call), call.machine.namespace.store
    parent.add(found.name, MemoryLink(store, text, ids.euid, ids.egid))
    return 0


@call("link", 86, 9, "path newpath")
def link(call: SystemCall, path: int, new: int) -> int:
    """Give a file one more name."""
    return linkat(call, AT_FDCWD, path, AT_FDCWD, new, 0)


@call("linkat", 265, 303, "dirfd path newfd newpath flags")
def linkat(call: SystemCall, dirfd: int, path: int, newfd: int, new: int, flags: int) -> int:
    """Give a file one more name."""
    follow = bool(flags & AT_SYMLINK_FOLLOW)
    old = find(call, dirfd, call.text(path), WalkPurpose.STATUS, follow=follow)
    status = old.status()
    if stat.S_ISDIR(status.mode):
        return -errno.EPERM
    found, parent = _new(call, newfd, call.text(new))
    if not isinstance(old.node, MemoryFile | MemoryLink):
        return -errno.EXDEV
    old.node.status().links += 1
    parent.add(found.name, old.node)
    return 0


@call("unlink", 87, 10, "path")
def unlink(call: SystemCall, path: int) -> int:
    """Take the name of a file away."""
    return unlinkat(call, AT_FDCWD, path, 0)


@call("unlinkat", 263, 301, "dirfd path flags")
def unlinkat(call: SystemCall, dirfd: int, path: int, flags: int) -> int:
    """Take a name away."""
    if flags & AT_REMOVEDIR:
        return _remove_directory(call, dirfd, call.text(path))
    found, parent = _old(call, dirfd, call.text(path))
    if isinstance(found.node, MemoryDirectory):
        return -errno.EISDIR
    parent.remove(found.name)
    assert found.node is not None
    found.node.status().links -= 1
    return 0


@call("rmdir", 84, 40, "path")
def rmdir(call: SystemCall, path: int) -> int:
    """Remove an empty directory."""
    return _remove_directory(call, AT_FDCWD, call.text(path))


def _remove_directory(call: SystemCall, dirfd: int, path: str) -> int:
    found, parent = _old(call, dirfd, path)
    if not isinstance(found.node, MemoryDirectory):
        return -errno.ENOTDIR
    if isinstance(found.node, UnionDirectory):
        return -errno.EROFS
    if found.node.children:
        return -errno.ENOTEMPTY
    parent.remove(found.name)
    found.node.removed = True
    return 0


@call("rename", 82, 38, "path newpath")
def rename(call: SystemCall, path: int, new: int) -> int:
    """Give something another name."""
    return renameat2(call, AT_FDCWD, path, AT_FDCWD, new, 0)


@call("renameat", 264, 302, "dirfd path newfd newpath")
def renameat(call: SystemCall, dirfd: int, path: int, newfd: int, new: int) -> int:
    """Give something another name."""
    return renameat2(call, dirfd, path, newfd, new, 0)


@call("renameat2", 316, 353, "dirfd path newfd newpath flags", "RENAME_NOREPLACE only")
def renameat2(call: SystemCall, dirfd: int, path: int, newfd: int, new: int, flags: int) -> int:
    """Give something another name, in the place of what has it."""
    if flags & ~RENAME_NOREPLACE:
        return -errno.EINVAL
    found, parent = _old(call, dirfd, call.text(path))
    node = found.node
    assert node is not None
    target = find(call, newfd, call.text(new), WalkPurpose.STATUS, follow=False)
    if target.exists:
        if flags & RENAME_NOREPLACE:
            return -errno.EEXIST
        if target.node is node:
            return 0
        target, place = _old(call, newfd, call.text(new))
        _make_way(node, target.node)
    else:
        target, place = _new(call, newfd, call.text(new))
    if isinstance(node, UnionDirectory):
        return -errno.EROFS
    if isinstance(node, MemoryDirectory) and f"{target.path}/".startswith(f"{found.path}/"):
        return -errno.EINVAL
    parent.remove(found.name)
    place.add(target.name, node)
    return 0


def _make_way(node: Node, target: Node | None) -> None:
    """Make sure that a node can take the place of another one. Raises KernelError."""
    if isinstance(target, MemoryDirectory):
        if not isinstance(node, MemoryDirectory):
            raise KernelError(errno.EISDIR)
        if target.children or isinstance(target, UnionDirectory):
            raise KernelError(errno.ENOTEMPTY)
        target.removed = True
    elif isinstance(node, MemoryDirectory):
        raise KernelError(errno.ENOTDIR)
    elif target is not None:
        target.status().links -= 1


@call("mknod", 133, 14, "path mode device", "regular files only")
def mknod(call: SystemCall, path: int, mode: int, device: int) -> int:
    """Make a regular file."""
    return mknodat(call, AT_FDCWD, path, mode, device)


@call("mknodat", 259, 297, "dirfd path mode device", "regular files only")
def mknodat(call: SystemCall, dirfd: int, path: int, mode: int, _device: int) -> int:
    """Make a regular file."""
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return -errno.EPERM
    found, parent = _new(call, dirfd, call.text(path))
    ids, store = _credentials(call), call.machine.namespace.store
    file = MemoryFile(store, mode & ~call.process.umask & 0o7777, ids.euid, ids.egid)
    parent.add(found.name, file)
    return 0
