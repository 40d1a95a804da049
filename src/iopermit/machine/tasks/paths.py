"""Names of files as programs see them: the host's, without its processes and devices."""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import KernelError
from iopermit.machine.files.open_files import Directory, FileStatus, HostFile, OpenFile
from iopermit.machine.files.special_files import Null, Random, Text, Zero

if TYPE_CHECKING:
    from iopermit.machine.credentials import Credentials
    from iopermit.machine.tasks.machine import Machine
    from iopermit.machine.tasks.process import UserTask

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_OWN: Final = ("/proc", "/sys", "/dev")
"""Trees that are not the host's."""
_DEVICES: Final = {
    "/dev/null": Null,
    "/dev/zero": Zero,
    "/dev/random": Random,
    "/dev/urandom": Random,
}


def real_path(path: str) -> str:
    """Return an absolute path without symbolic links, as far as it is outside the own trees."""
    return path if _is_own(os.path.normpath(path)) else os.path.realpath(path)


def open_file(machine: Machine, task: UserTask, path: str, flags: int) -> OpenFile:
    """Open a file. Raises KernelError."""
    real = real_path(path)
    if _is_own(real):
        return _open_own(machine, task, os.path.normpath(real), flags)
    if flags & os.O_CREAT and flags & os.O_EXCL and os.path.lexists(path):
        raise KernelError(errno.EEXIST)
    if not os.path.lexists(real) and flags & os.O_CREAT:
        raise KernelError(errno.EROFS)
    if flags & os.O_NOFOLLOW and os.path.islink(path):
        raise KernelError(errno.ELOOP)
    found = status(machine, task, path, follow=True)
    if flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC):
        raise KernelError(errno.EISDIR if stat.S_ISDIR(found.mode) else errno.EROFS)
    if not may_read(task.credentials, found):
        raise KernelError(errno.EACCES)
    if stat.S_ISDIR(found.mode):
        return Directory(real, flags, entries=_entries(real))
    if flags & os.O_DIRECTORY:
        raise KernelError(errno.ENOTDIR)
    if not stat.S_ISREG(found.mode):
        # Device nodes, pipes and sockets of the host are out of reach.
        raise KernelError(errno.ENXIO)
    return _open_host(real, flags)


def status(machine: Machine, task: UserTask, path: str, *, follow: bool) -> FileStatus:
    """Return what stat(2), or lstat(2) if not `follow`, tells. Raises KernelError."""
    real = real_path(path)
    if _is_own(real):
        return _status_own(machine, task, os.path.normpath(real))
    try:
        if path.endswith("/") or follow:
            return FileStatus.of(os.stat(path))
        return FileStatus.of(os.lstat(path))
    except OSError as error:
        raise KernelError(error.errno or errno.ENOENT) from error
    except ValueError as error:
        raise KernelError(errno.ENOENT) from error


def read_link(task: UserTask, path: str) -> str:
    """Return the target of a symbolic link. Raises KernelError."""
    normal = os.path.normpath(path)
    if normal in ("/proc/self/exe", f"/proc/{task.process.pid}/exe"):
        return os.path.realpath(task.process.path)
    if normal == "/proc/self":
        return str(task.process.pid)
    if normal.startswith("/proc/self/fd/") and normal.rsplit("/", 1)[1].isdigit():
        return task.process.files.get(int(normal.rsplit("/", 1)[1])).path
    if _is_own(real_path(path)):
        raise KernelError(errno.ENOENT)
    try:
        return os.readlink(path)
    except OSError as error:
        raise KernelError(error.errno or errno.EINVAL) from error


def may_read(credentials: Credentials, found: FileStatus) -> bool:
    """Return whether the mode lets a task read; root may read everything."""
    if credentials.euid == 0:
        return True
    if credentials.euid == found.uid:
        return bool(found.mode & 0o400)
    if found.gid in (credentials.egid, *credentials.groups):
        return bool(found.mode & 0o040)
    return bool(found.mode & 0o004)


def _is_own(path: str) -> bool:
    return any(path == tree or path.startswith(tree + "/") for tree in _OWN)


def _open_host(real: str, flags: int) -> HostFile:
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise KernelError(error.errno or errno.ENOENT) from error
    # What was looked at above may have been replaced since.
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise KernelError(errno.ENXIO)
    return HostFile(real, flags & ~_WRITES, descriptor=descriptor)


def _entries(path: str) -> list[tuple[str, int, int]]:
    """Return name, inode and type of each entry, in a fixed order."""
    try:
        with os.scandir(path) as scan:
            entries = sorted(
                (e.name, e.inode(), stat.S_IFMT(e.stat(follow_symlinks=False).st_mode))
                for e in scan
            )
    except OSError as error:
        raise KernelError(error.errno or errno.EACCES) from error
    here = os.stat(path).st_ino
    return [(".", here, stat.S_IFDIR), ("..", here, stat.S_IFDIR), *entries]


def _open_own(machine: Machine, task: UserTask, path: str, flags: int) -> OpenFile:
    if path in _DEVICES:
        device = _DEVICES[path](path, flags)
        if isinstance(device, Random):
            device.source = machine.entropy
        return device
    if path == "/dev/tty":
        raise KernelError(errno.ENXIO)
    data = _proc(task, path)
    if data is None:
        raise KernelError(errno.ENOENT if not flags & os.O_CREAT else errno.EROFS)
    if flags & (os.O_WRONLY | os.O_RDWR):
        raise KernelError(errno.EROFS)
    return Text(path, flags, data=data)


def _status_own(machine: Machine, task: UserTask, path: str) -> FileStatus:
    if path in _OWN or path in ("/proc/self", "/proc/self/fd"):
        return FileStatus(stat.S_IFDIR | 0o555)
    if path == "/proc/self/exe":
        return FileStatus.of(os.stat(task.process.path))
    return _open_own(machine, task, path, 0).status()


def _proc(task: UserTask, path: str) -> bytes | None:
    """Return the contents of a file in /proc, or None if there is no such file."""
    process = task.process
    own = path.replace(f"/proc/{process.pid}/", "/proc/self/", 1)
    if own == "/proc/self/maps":
        return "".join(
            f"{a.start:08x}-{a.end:08x} {'r' if a.protection & 1 else '-'}"
            f"{'w' if a.protection & 2 else '-'}{'x' if a.protection & 4 else '-'}"
            f"{'s' if a.shared else 'p'} {a.offset:08x} 00:00 0          {a.name}\n"
            for a in process.space.areas
        ).encode()
    if own == "/proc/self/comm":
        return process.name[:15].encode() + b"\n"
    if own == "/proc/self/status":
        ids = task.credentials
        return (
            f"Name:\t{process.name[:15]}\nPid:\t{process.pid}\n"
            f"Uid:\t{ids.uid}\t{ids.euid}\t{ids.suid}\t{ids.euid}\n"
            f"Gid:\t{ids.gid}\t{ids.egid}\t{ids.sgid}\t{ids.egid}\n"
            f"CapEff:\t{ids.effective:016x}\n"
        ).encode()
    return None
