"""Who a task is: process, user and group ids, capabilities."""

from __future__ import annotations

import errno
import struct
from dataclasses import replace
from typing import Final

from iopermit.machine.errors import KernelError
from iopermit.machine.syscalls.registry import Call, call
from iopermit.machine.tasks.process import ALL_CAPABILITIES, Credentials, Process

CAP_SETGID, CAP_SETUID = 6, 7
_KEEP: Final = -1
_NAME: Final = 16
PR_GET_DUMPABLE, PR_SET_DUMPABLE, PR_GET_KEEPCAPS, PR_SET_KEEPCAPS = 3, 4, 7, 8
PR_SET_PDEATHSIG, PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ, PR_SET_NO_NEW_PRIVS = 1, 15, 16, 23, 38
_CAPABILITY_VERSIONS: Final = {0x19980330: 1, 0x20071026: 2, 0x20080522: 2}


@call("getpid", 39, 20)
def getpid(call: Call) -> int:
    """Return the number of the process."""
    return call.process.pid


@call("gettid", 186, 224)
def gettid(call: Call) -> int:
    """Return the number of the thread."""
    return call.task.tid


@call("getppid", 110, 64)
def getppid(call: Call) -> int:
    """Return the number of the parent."""
    return 0 if call.process.parent is None else call.process.parent.pid


def _process(call: Call, pid: int) -> Process:
    found = call.kernel.processes.get(pid) if pid else call.process
    if found is None:
        raise KernelError(errno.ESRCH)
    return found


@call("getpgid", 121, 132, "pid")
def getpgid(call: Call, pid: int) -> int:
    """Return the process group."""
    return _process(call, pid).group


@call("getpgrp", 111, 65)
def getpgrp(call: Call) -> int:
    """Return the process group."""
    return call.process.group


@call("setpgid", 109, 57, "pid group")
def setpgid(call: Call, pid: int, group: int) -> int:
    """Change the process group."""
    process = _process(call, pid)
    process.group = group or process.pid
    return 0


@call("getsid", 124, 147, "pid")
def getsid(call: Call, pid: int) -> int:
    """Return the session."""
    return _process(call, pid).session


@call("setsid", 112, 66)
def setsid(call: Call) -> int:
    """Start a session."""
    process = call.process
    if process.group == process.pid:
        return -errno.EPERM
    process.session = process.group = process.pid
    return process.pid


@call("getuid", 102, 199)
def getuid(call: Call) -> int:
    """Return the user id."""
    return call.task.credentials.uid


@call("geteuid", 107, 201)
def geteuid(call: Call) -> int:
    """Return the effective user id."""
    return call.task.credentials.euid


@call("getgid", 104, 200)
def getgid(call: Call) -> int:
    """Return the group id."""
    return call.task.credentials.gid


@call("getegid", 108, 202)
def getegid(call: Call) -> int:
    """Return the effective group id."""
    return call.task.credentials.egid


for _name, _narrow, _function in (
    ("getuid16", 24, getuid),
    ("geteuid16", 49, geteuid),
    ("getgid16", 47, getgid),
    ("getegid16", 50, getegid),
):
    call(_name, None, _narrow)(_function)


@call("getresuid", 118, 209, "ruid_at euid_at suid_at")
def getresuid(call: Call, real: int, effective: int, saved: int) -> int:
    """Return all user ids."""
    ids = call.task.credentials
    for address, value in ((real, ids.uid), (effective, ids.euid), (saved, ids.suid)):
        call.write_int(address, value, 4)
    return 0


@call("getresgid", 120, 211, "rgid_at egid_at sgid_at")
def getresgid(call: Call, real: int, effective: int, saved: int) -> int:
    """Return all group ids."""
    ids = call.task.credentials
    for address, value in ((real, ids.gid), (effective, ids.egid), (saved, ids.sgid)):
        call.write_int(address, value, 4)
    return 0


def _set_uids(call: Call, uid: int, euid: int, suid: int) -> int:
    """Change user ids (-1: not this one); capabilities go with the last id 0."""
    old = call.task.credentials
    wanted = [call.signed(value, 32) for value in (uid, euid, suid)]
    allowed = {old.uid, old.euid, old.suid, _KEEP}
    if not old.effective >> CAP_SETUID & 1 and not allowed.issuperset(wanted):
        return -errno.EPERM
    before = (old.uid, old.euid, old.suid)
    ids = [b if w == _KEEP else w for w, b in zip(wanted, before, strict=True)]
    new = replace(old, uid=ids[0], euid=ids[1], suid=ids[2])
    call.kernel.set_credentials(call.task, _capabilities_after(old, new))
    return 0


def _capabilities_after(old: Credentials, new: Credentials) -> Credentials:
    """Do what capabilities(7) says about user id changes."""
    had_root = 0 in (old.uid, old.euid, old.suid)
    permitted, effective = new.permitted, new.effective
    if had_root and 0 not in (new.uid, new.euid, new.suid) and not new.keep:
        permitted = effective = 0
    if old.euid == 0 and new.euid != 0:
        effective = 0
    if old.euid != 0 and new.euid == 0:
        effective = permitted
    return replace(new, permitted=permitted, effective=effective)


@call("setuid", 105, 213, "uid")
def setuid(call: Call, uid: int) -> int:
    """Change the user id; a privileged task changes all three."""
    if call.task.credentials.effective >> CAP_SETUID & 1:
        return _set_uids(call, uid, uid, uid)
    return _set_uids(call, _KEEP, uid, _KEEP)


@call("setreuid", 113, 203, "uid euid")
def setreuid(call: Call, uid: int, euid: int) -> int:
    """Change real and effective user id."""
    old = call.task.credentials
    real, effective = call.signed(uid, 32), call.signed(euid, 32)
    changes = real != _KEEP or (effective not in (_KEEP, old.uid))
    saved = (old.euid if effective == _KEEP else effective) if changes else _KEEP
    return _set_uids(call, uid, euid, saved)


@call("setresuid", 117, 208, "uid euid suid", "drops the capabilities with the last id 0")
def setresuid(call: Call, uid: int, euid: int, suid: int) -> int:
    """Change all user ids."""
    return _set_uids(call, uid, euid, suid)


@call("setresuid", None, 164, "uid euid suid", "drops the capabilities with the last id 0")
def setresuid16(call: Call, uid: int, euid: int, suid: int) -> int:
    """Change all user ids; 65535 keeps one."""
    low, keep = 0xFFFF, 0xFFFF_FFFF
    wide = [keep if number & low == low else number & low for number in (uid, euid, suid)]
    return _set_uids(call, *wide)


def _set_gids(call: Call, gid: int, egid: int, sgid: int) -> int:
    old = call.task.credentials
    wanted = [call.signed(value, 32) for value in (gid, egid, sgid)]
    allowed = {old.gid, old.egid, old.sgid, _KEEP}
    if not old.effective >> CAP_SETGID & 1 and not allowed.issuperset(wanted):
        return -errno.EPERM
    before = (old.gid, old.egid, old.sgid)
    ids = [b if w == _KEEP else w for w, b in zip(wanted, before, strict=True)]
    call.task.credentials = replace(old, gid=ids[0], egid=ids[1], sgid=ids[2])
    return 0


@call("setgid", 106, 214, "gid")
def setgid(call: Call, gid: int) -> int:
    """Change the group id; a privileged task changes all three."""
    if call.task.credentials.effective >> CAP_SETGID & 1:
        return _set_gids(call, gid, gid, gid)
    return _set_gids(call, _KEEP, gid, _KEEP)


@call("setregid", 114, 204, "gid egid")
def setregid(call: Call, gid: int, egid: int) -> int:
    """Change real and effective group id."""
    return _set_gids(call, gid, egid, _KEEP)


@call("setresgid", 119, 210, "gid egid sgid")
def setresgid(call: Call, gid: int, egid: int, sgid: int) -> int:
    """Change all group ids."""
    return _set_gids(call, gid, egid, sgid)


@call("getgroups", 115, 205, "size list")
def getgroups(call: Call, size: int, address: int) -> int:
    """Return the other groups."""
    groups = call.task.credentials.groups
    if size and size < len(groups):
        return -errno.EINVAL
    if size:
        call.space.write(address, struct.pack(f"<{len(groups)}I", *groups))
    return len(groups)


@call("setgroups", 116, 206, "size list")
def setgroups(call: Call, size: int, address: int) -> int:
    """Change the other groups."""
    credentials = call.task.credentials
    if not credentials.effective >> CAP_SETGID & 1:
        return -errno.EPERM
    if size > 65536:
        return -errno.EINVAL
    groups = struct.unpack(f"<{size}I", call.space.read(address, 4 * size))
    call.task.credentials = replace(credentials, groups=groups)
    return 0


@call("setfsuid", 122, 215, "uid", "follows the effective id")
def setfsuid(call: Call, _uid: int) -> int:
    """Return the effective user id."""
    return call.task.credentials.euid


@call("setfsgid", 123, 216, "gid", "follows the effective id")
def setfsgid(call: Call, _gid: int) -> int:
    """Return the effective group id."""
    return call.task.credentials.egid


def _capability_sets(call: Call, header: int) -> int:
    """Check the header and return how many words each set has. Raises KernelError."""
    version, pid = call.read_int(header, 4), call.signed(call.read_int(header + 4, 4), 32)
    if version not in _CAPABILITY_VERSIONS:
        call.write_int(header, 0x20080522, 4)
        raise KernelError(errno.EINVAL)
    if pid not in (0, call.task.tid):
        raise KernelError(errno.EPERM)
    return _CAPABILITY_VERSIONS[version]


@call("capget", 125, 184, "header data", "of the task itself")
def capget(call: Call, header: int, data: int) -> int:
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
def capset(call: Call, header: int, data: int) -> int:
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
    call.kernel.set_credentials(call.task, new)
    return 0


@call(
    "prctl", 157, 172, "option value second third fourth", "name, keepcaps, dumpable, bounding set"
)
def prctl(call: Call, option: int, value: int, _second: int, _third: int, _fourth: int) -> int:
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
        return int(value <= ALL_CAPABILITIES.bit_length() - 1) if value < SIZE else -errno.EINVAL
    elif option not in (PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS):
        return -errno.EINVAL
    return 0


SIZE: Final = 41
"""How many capabilities there are."""


@call("personality", 135, 136, "persona", "PER_LINUX only")
def personality(_call: Call, persona: int) -> int:
    """Tell the personality."""
    return 0 if persona in (0, 0xFFFF_FFFF) else -errno.EINVAL
