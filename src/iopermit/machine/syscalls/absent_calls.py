"""System calls that always fail: there are no sockets and no extended attributes."""

from __future__ import annotations

import errno
from typing import Final, TypeAlias

from iopermit.machine.syscalls.registry import SystemCall, call

_Row: TypeAlias = tuple[str, int | None, int, str]

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
    ("connect", 42, 362, "fd address size"),
    ("bind", 49, 361, "fd address size"),
    ("listen", 50, 363, "fd count"),
)


def _no_attributes(_call: SystemCall, *_arguments: int) -> int:
    return -errno.EOPNOTSUPP


def _no_sockets(_call: SystemCall, *_arguments: int) -> int:
    return -errno.EAFNOSUPPORT


for _name, _wide, _narrow, _arguments in _ATTRIBUTES:
    call(_name, _wide, _narrow, _arguments, "EOPNOTSUPP")(_no_attributes)
for _name, _wide, _narrow, _arguments in _SOCKETS:
    call(_name, _wide, _narrow, _arguments, "EAFNOSUPPORT: there are no sockets")(_no_sockets)
