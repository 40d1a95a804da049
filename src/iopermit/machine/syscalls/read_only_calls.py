"""System calls that always fail: file systems are read-only, there are no sockets."""

from __future__ import annotations

import errno
from typing import Final, TypeAlias

from iopermit.machine.syscalls.registry import SystemCall, call

_Row: TypeAlias = tuple[str, int | None, int, str]

_CALLS: Final[tuple[_Row, ...]] = (
    ("creat", 85, 8, "path mode"),
    ("rename", 82, 38, "path newpath"),
    ("renameat", 264, 302, "dirfd path newfd newpath"),
    ("renameat2", 316, 353, "dirfd path newfd newpath flags"),
    ("mkdir", 83, 39, "path mode"),
    ("mkdirat", 258, 296, "dirfd path mode"),
    ("rmdir", 84, 40, "path"),
    ("link", 86, 9, "path newpath"),
    ("linkat", 265, 303, "dirfd path newfd newpath flags"),
    ("unlink", 87, 10, "path"),
    ("unlinkat", 263, 301, "dirfd path flags"),
    ("symlink", 88, 83, "target path"),
    ("symlinkat", 266, 304, "target dirfd path"),
    ("mknod", 133, 14, "path mode device"),
    ("mknodat", 259, 297, "dirfd path mode device"),
    ("chmod", 90, 15, "path mode"),
    ("fchmod", 91, 94, "fd mode"),
    ("fchmodat", 268, 306, "dirfd path mode"),
    ("chown", 92, 182, "path uid gid"),
    ("fchown", 93, 95, "fd uid gid"),
    ("lchown", 94, 16, "path uid gid"),
    ("fchownat", 260, 298, "dirfd path uid gid flags"),
    ("truncate", 76, 92, "path length"),
    ("ftruncate", 77, 93, "fd length"),
    ("utime", 132, 30, "path times"),
    ("utimes", 235, 271, "path times"),
    ("utimensat", 280, 320, "dirfd path times flags"),
)


def _refuse(_call: SystemCall, *_arguments: int) -> int:
    return -errno.EROFS


_ATTRIBUTES: Final[tuple[_Row, ...]] = (
    ("getxattr", 191, 229, "path name data size"),
    ("lgetxattr", 192, 230, "path name data size"),
    ("fgetxattr", 193, 231, "fd name data size"),
    ("listxattr", 194, 232, "path data size"),
    ("llistxattr", 195, 233, "path data size"),
    ("flistxattr", 196, 234, "fd data size"),
)
_SOCKETS: Final[tuple[_Row, ...]] = (
    ("socket", 41, 359, "family kind protocol"),
    ("socketpair", 53, 360, "family kind protocol fds"),
    ("connect", 42, 362, "fd address size"),
    ("bind", 49, 361, "fd address size"),
    ("listen", 50, 363, "fd count"),
    ("sendto", 44, 369, "fd data size flags address length"),
    ("recvfrom", 45, 371, "fd buffer size flags address length"),
    ("socketcall", None, 102, "num arguments"),
)


def _no_attributes(_call: SystemCall, *_arguments: int) -> int:
    return -errno.EOPNOTSUPP


def _no_sockets(_call: SystemCall, *_arguments: int) -> int:
    return -errno.EAFNOSUPPORT


for _name, _wide, _narrow, _arguments in _ATTRIBUTES:
    call(_name, _wide, _narrow, _arguments, "EOPNOTSUPP")(_no_attributes)
for _name, _wide, _narrow, _arguments in _SOCKETS:
    call(_name, _wide, _narrow, _arguments, "EAFNOSUPPORT: there are no sockets")(_no_sockets)
for _name, _wide, _narrow, _arguments in _CALLS:
    call(_name, _wide, _narrow, _arguments, "EROFS")(_refuse)
