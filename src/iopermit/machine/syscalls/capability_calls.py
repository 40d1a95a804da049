"""Capabilities of a task, and prctl(2)."""

from __future__ import annotations

import errno
import struct
from dataclasses import replace
from typing import Final

from iopermit.machine.credentials import ALL_CAPABILITIES
from iopermit.machine.errors import KernelError
from iopermit.machine.syscalls.registry import SystemCall, call

_NAME: Final = 16
PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_GET_KEEPCAPS, PR_SET_KEEPCAPS = 3, 4, 7, 8
PR_SET_PDEATHSIG, PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ, PR_SET_NO_NEW_PRIVS = 1, 15, 16, 23, 38
_CAPABILITY_VERSIONS: Final = {0x19980330: 1, 0x20071026: 2, 0x20080522: 2}
_COUNT: Final = 41
"""How many capabilities there are."""


def _capability_sets(call: SystemCall, header: int) -> int:
    """Check the header and return how many words each set has. Raises KernelError."""
    version, pid = call.read_int(header, 4), call.signed(call.read_int(header + 4, 4), 32)
    if version not in _CAPABILITY_VERSIONS:
        call.write_int(header, 0x20080522, 4)
        raise KernelError(errno.EINVAL)
    if pid not in (0, call.task.tid):
        raise KernelError(errno.EPERM)
    return _CAPABILITY_VERSIONS[version]


@call("capget", 125, 184, "header data", "of the task itself")
def capget(call: SystemCall, header: int, data: int) -> int:
    """Return the capabilities."""
    try:
        words = _capability_sets(call, header)
    except KernelError:
        if not data:
            return 0
        raise
    ids = call.task.credentials
    for i in range(words):
        values = (
            s >> 32 * i & 0xFFFF_FFFF for s in (ids.effective, ids.permitted, ids.inheritable)
        )
        call.space.write(data + 12 * i, struct.pack("<3I", *values))
    return 0


@call("capset", 126, 185, "header data", "of the task itself")
def capset(call: SystemCall, header: int, data: int) -> int:
    """Change the capabilities."""
    effective = permitted = inheritable = 0
    for i in range(_capability_sets(call, header)):
        sets = struct.unpack("<3I", call.space.read(data + 12 * i, 12))
        effective |= sets[0] << 32 * i
        permitted |= sets[1] << 32 * i
        inheritable |= sets[2] << 32 * i
    old = call.task.credentials
    effective, permitted = effective & ALL_CAPABILITIES, permitted & ALL_CAPABILITIES
    if permitted & ~old.permitted or effective & ~permitted:
        return -errno.EPERM
    new = replace(old, effective=effective, permitted=permitted, inheritable=inheritable)
    call.machine.set_credentials(call.task, new)
    return 0


@call(
    "prctl", 157, 172, "option value second third fourth", "name, keepcaps, dumpable, bounding set"
)
def prctl(
    call: SystemCall, option: int, value: int, _second: int, _third: int, _fourth: int
) -> int:
    """Change or tell properties of the process."""
    if option == PR_SET_NAME:
        call.process.name = call.space.read_string(value, _NAME - 1).decode("utf-8", "replace")
    elif option == PR_GET_NAME:
        call.space.write(value, call.process.name.encode()[: _NAME - 1].ljust(_NAME, b"\0"))
    elif option == PR_GET_KEEPCAPS:
        return int(call.task.credentials.keep)
    elif option == PR_SET_KEEPCAPS:
        call.task.credentials = replace(call.task.credentials, keep=bool(value))
    elif option == PR_GET_DUMPABLE:
        return 1
    elif option == PR_CAPBSET_READ:
        return int(value <= ALL_CAPABILITIES.bit_length() - 1) if value < _COUNT else -errno.EINVAL
    elif option not in (PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS):
        return -errno.EINVAL
    return 0


@call("personality", 135, 136, "persona", "PER_LINUX only")
def personality(_call: SystemCall, persona: int) -> int:
    """Tell the personality."""
    return 0 if persona in (0, 0xFFFF_FFFF) else -errno.EINVAL
