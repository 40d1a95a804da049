"""Who a task is: process, user and group ids."""

from __future__ import annotations

import errno
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from iopermit.machine.errors import KernelError
from iopermit.machine.syscalls.registry import SystemCall, call

if TYPE_CHECKING:
    from iopermit.machine.credentials import Credentials
    from iopermit.machine.tasks.process import UserProcess

CAP_SETGID, CAP_SETUID = 6, 7
_KEEP: Final = -1


@call("getpid", 39, 20)
def getpid(call: SystemCall) -> int:
    """Return the number of the process."""
    return call.process.pid


@call("gettid", 186, 224)
def gettid(call: SystemCall) -> int:
    """Return the number of the thread."""
    return call.task.tid


@call("getppid", 110, 64)
def getppid(call: SystemCall) -> int:
    """Return the number of the parent."""
    return 0 if call.process.parent is None else call.process.parent.pid


def _process(call: SystemCall, pid: int) -> UserProcess:
    found = call.machine.processes.get(pid) if pid else call.process
    if found is None:
        raise KernelError(errno.ESRCH)
    return found


@call("getpgid", 121, 132, "pid")
def getpgid(call: SystemCall, pid: int) -> int:
    """Return the process group."""
    return _process(call, pid).group


@call("getpgrp", 111, 65)
def getpgrp(call: SystemCall) -> int:
    """Return the process group."""
    return call.process.group


@call("setpgid", 109, 57, "pid group")
def setpgid(call: SystemCall, pid: int, group: int) -> int:
    """Change the process group."""
    process = _process(call, pid)
    process.group = group or process.pid
    return 0


@call("getsid", 124, 147, "pid")
def getsid(call: SystemCall, pid: int) -> int:
    """Return the session."""
    return _process(call, pid).session


@call("setsid", 112, 66)
def setsid(call: SystemCall) -> int:
    """Start a session."""
    process = call.process
    if process.group == process.pid:
        return -errno.EPERM
    process.session = process.group = process.pid
    return process.pid


@call("getuid", 102, 199)
def getuid(call: SystemCall) -> int:
    """Return the user id."""
    return call.task.credentials.uid


@call("geteuid", 107, 201)
def geteuid(call: SystemCall) -> int:
    """Return the effective user id."""
    return call.task.credentials.euid


@call("getgid", 104, 200)
def getgid(call: SystemCall) -> int:
    """Return the group id."""
    return call.task.credentials.gid


@call("getegid", 108, 202)
def getegid(call: SystemCall) -> int:
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
def getresuid(call: SystemCall, real: int, effective: int, saved: int) -> int:
    """Return all user ids."""
    ids = call.task.credentials
    for address, value in ((real, ids.uid), (effective, ids.euid), (saved, ids.suid)):
        call.write_int(address, value, 4)
    return 0


@call("getresgid", 120, 211, "rgid_at egid_at sgid_at")
def getresgid(call: SystemCall, real: int, effective: int, saved: int) -> int:
    """Return all group ids."""
    ids = call.task.credentials
    for address, value in ((real, ids.gid), (effective, ids.egid), (saved, ids.sgid)):
        call.write_int(address, value, 4)
    return 0


def _set_uids(call: SystemCall, uid: int, euid: int, suid: int) -> int:
    """Change user ids (-1: not this one); capabilities go with the last id 0."""
    old = call.task.credentials
    wanted = [call.signed(value, 32) for value in (uid, euid, suid)]
    allowed = {old.uid, old.euid, old.suid, _KEEP}
    if not old.effective >> CAP_SETUID & 1 and not allowed.issuperset(wanted):
        return -errno.EPERM
    before = (old.uid, old.euid, old.suid)
    ids = [b if w == _KEEP else w for w, b in zip(wanted, before, strict=True)]
    new = replace(old, uid=ids[0], euid=ids[1], suid=ids[2])
    call.machine.set_credentials(call.task, _capabilities_after(old, new))
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
def setuid(call: SystemCall, uid: int) -> int:
    """Change the user id; a privileged task changes all three."""
    if call.task.credentials.effective >> CAP_SETUID & 1:
        return _set_uids(call, uid, uid, uid)
    return _set_uids(call, _KEEP, uid, _KEEP)


@call("setreuid", 113, 203, "uid euid")
def setreuid(call: SystemCall, uid: int, euid: int) -> int:
    """Change real and effective user id."""
    old = call.task.credentials
    real, effective = call.signed(uid, 32), call.signed(euid, 32)
    changes = real != _KEEP or (effective not in (_KEEP, old.uid))
    saved = (old.euid if effective == _KEEP else effective) if changes else _KEEP
    return _set_uids(call, uid, euid, saved)


@call("setresuid", 117, 208, "uid euid suid", "drops the capabilities with the last id 0")
def setresuid(call: SystemCall, uid: int, euid: int, suid: int) -> int:
    """Change all user ids."""
    return _set_uids(call, uid, euid, suid)


@call("setresuid", None, 164, "uid euid suid", "drops the capabilities with the last id 0")
def setresuid16(call: SystemCall, uid: int, euid: int, suid: int) -> int:
    """Change all user ids; 65535 keeps one."""
    low, keep = 0xFFFF, 0xFFFF_FFFF
    wide = [keep if number & low == low else number & low for number in (uid, euid, suid)]
    return _set_uids(call, *wide)


def _set_gids(call: SystemCall, gid: int, egid: int, sgid: int) -> int:
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
def setgid(call: SystemCall, gid: int) -> int:
    """Change the group id; a privileged task changes all three."""
    if call.task.credentials.effective >> CAP_SETGID & 1:
        return _set_gids(call, gid, gid, gid)
    return _set_gids(call, _KEEP, gid, _KEEP)


@call("setregid", 114, 204, "gid egid")
def setregid(call: SystemCall, gid: int, egid: int) -> int:
    """Change real and effective group id."""
    return _set_gids(call, gid, egid, _KEEP)


@call("setresgid", 119, 210, "gid egid sgid")
def setresgid(call: SystemCall, gid: int, egid: int, sgid: int) -> int:
    """Change all group ids."""
    return _set_gids(call, gid, egid, sgid)


@call("getgroups", 115, 205, "size list")
def getgroups(call: SystemCall, size: int, address: int) -> int:
    """Return the other groups."""
    groups = call.task.credentials.groups
    if size and size < len(groups):
        return -errno.EINVAL
    if size:
        call.space.write(address, struct.pack(f"<{len(groups)}I", *groups))
    return len(groups)


@call("setgroups", 116, 206, "size list")
def setgroups(call: SystemCall, size: int, address: int) -> int:
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
def setfsuid(call: SystemCall, _uid: int) -> int:
    """Return the effective user id."""
    return call.task.credentials.euid


@call("setfsgid", 123, 216, "gid", "follows the effective id")
def setfsgid(call: SystemCall, _gid: int) -> int:
    """Return the effective group id."""
    return call.task.credentials.egid
