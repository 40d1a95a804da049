"""What the system is like: name, limits, use of resources, random numbers."""

from __future__ import annotations

import errno
import struct
from typing import Final

from iopermit.machine.clock import SECOND
from iopermit.machine.files.open_files import FileTable
from iopermit.machine.memory.physical import PAGE
from iopermit.machine.syscalls.registry import SystemCall, call

_UTSNAME: Final = 65
_UNLIMITED: Final = (1 << 64) - 1
_LIMITS: Final = {3: 8 << 20, 4: 0, 7: FileTable.MOST, 6: 1024}
"""Stack, core, open files, processes; everything else is unlimited."""
_LIMIT_COUNT: Final = 16


@call("uname", 63, 122, "name", "the release is that of the design, if it has one")
def uname(call: SystemCall, address: int) -> int:
    """Tell the name of the system."""
    design = call.machine.options.design.id
    machine = "x86_64" if call.task.bits == 64 else "i686"
    names = ("Linux", "iopermit", call.machine.release(), f"#1 {design}", machine, "(none)")
    data = b"".join(name.encode()[: _UTSNAME - 1].ljust(_UTSNAME, b"\0") for name in names)
    call.space.write(address, data)
    return 0


def _limit(resource: int) -> tuple[int, int]:
    value = _LIMITS.get(resource, _UNLIMITED)
    return value, value


@call("prlimit64", 302, 340, "pid resource new old", "limits cannot be changed")
def prlimit64(call: SystemCall, _pid: int, resource: int, _new: int, old: int) -> int:
    """Tell limits; changes are ignored."""
    if resource >= _LIMIT_COUNT:
        return -errno.EINVAL
    if old:
        call.space.write(old, struct.pack("<QQ", *_limit(resource)))
    return 0


@call("getrlimit", 97, 191, "resource limit")
def getrlimit(call: SystemCall, resource: int, address: int) -> int:
    """Tell limits."""
    if resource >= _LIMIT_COUNT:
        return -errno.EINVAL
    for i, value in enumerate(_limit(resource)):
        call.write_int(address + i * call.word, min(value, (1 << call.abi) - 1), call.word)
    return 0


@call("setrlimit", 160, 75, "resource limit", "ignored")
def setrlimit(_call: SystemCall, resource: int, _limit_at: int) -> int:
    """Do nothing."""
    return 0 if resource < _LIMIT_COUNT else -errno.EINVAL


@call("getrusage", 98, 77, "who usage", "user time is virtual time")
def getrusage(call: SystemCall, _who: int, usage: int) -> int:
    """Tell the use of resources: the time only."""
    seconds, rest = divmod(call.machine.clock.monotonic, SECOND)
    call.space.write(usage, bytes(18 * call.word))
    call.write_int(usage, seconds, call.word)
    call.write_int(usage + call.word, rest // 1000, call.word)
    return 0


@call("sysinfo", 99, 116, "info")
def sysinfo(call: SystemCall, address: int) -> int:
    """Tell about memory and tasks."""
    machine = call.machine
    total, free = machine.memory.size, machine.memory.free_pages * PAGE
    uptime, tasks = machine.clock.monotonic // SECOND, len(machine.tasks)
    word = "Q" if call.word == 8 else "I"
    data = struct.pack(f"<10{word}", uptime, 0, 0, 0, total, free, 0, 0, 0, 0)
    tail = (
        struct.pack(f"<HHxxxx2{word}I", tasks, 0, 0, 0, 1)
        if word == "Q"
        else struct.pack("<HH2II8x", tasks, 0, 0, 0, 1)
    )
    call.space.write(address, data + tail)
    return 0


@call("getrandom", 318, 355, "buffer count flags", "depends on the seed only")
def getrandom(call: SystemCall, buffer: int, count: int, _flags: int) -> int:
    """Return seeded pseudo-random bytes."""
    size = min(count, 256)
    call.space.write(buffer, call.machine.entropy.randbytes(size))
    return size


@call("membarrier", 324, 375, "command flags cpu")
def membarrier(_call: SystemCall, command: int, _flags: int, _cpu: int) -> int:
    """Do nothing: tasks are interleaved, never simultaneous."""
    return 0 if command else 1


@call("sync", 162, 36)
def sync(_call: SystemCall) -> int:
    """Do nothing."""
    return 0
