"""What the emulator gives up before it executes the first instruction of a program.

Four things, each of which would do alone for what it covers:

- Landlock: an empty rule set. No file can be opened, listed, made or executed; no TCP port used.
- seccomp: a list of the system calls that the emulator needs, without any that takes the name of
  a file, makes a socket or a process, or reaches another process.
- no new privileges, and the ids of nobody if it was root.
- limits on memory and descriptors, no core dumps.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
import mmap
import os
import resource
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import landlockpy
import seccompy

if TYPE_CHECKING:
    from collections.abc import Iterable

_ADDRESS_SPACE: Final = 2 << 30
"""Bytes that the emulator may map beyond what it has at the start."""
_DESCRIPTORS: Final = 4096
_NOBODY: Final = 65534
_PR_SET_PDEATHSIG: Final = 1

_CALLS: Final = (
    *("read", "write", "readv", "writev", "pread64", "lseek", "close", "fstat", "dup"),
    *("recvmsg", "recvfrom", "sendmsg", "sendto"),
    *("poll", "ppoll", "select", "pselect6", "pipe2"),
    *("mmap", "mprotect", "munmap", "mremap", "madvise", "brk"),
    *("rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sigaltstack"),
    *("futex", "sched_yield", "nanosleep", "clock_nanosleep", "restart_syscall"),
    *("clock_gettime", "clock_getres", "gettimeofday", "time", "getrandom"),
    *("getpid", "gettid", "getuid", "geteuid", "getgid", "getegid", "sched_getaffinity"),
    *("set_robust_list", "rseq", "exit", "exit_group", "fsync"),
)
"""What the emulator, Python and their libraries call. Nothing here takes the name of a file."""
_TERMINAL_REQUESTS: Final = (0x5401, 0x5413, 0x541B)
"""TCGETS, TIOCGWINSZ, FIONREAD."""
_KVM_REQUESTS: Final = 0xAE00
"""The type of KVM's ioctl requests, in their second byte."""
_THREAD: Final = 0x0001_0100
"""CLONE_THREAD and CLONE_VM."""


@dataclass(frozen=True)
class Protection:
    """What is in force around a run.

    Attributes:
        broker: another process opens the files.
        landlock: the ABI of Landlock in force; 0 for none.
        seccomp: whether system calls are filtered.
        no_new_privileges: whether no privileges can be gained.
        unprivileged: whether the emulator has no user's rights on the host but those of nobody,
            or of the user who started it, if that is not root.
        limits: whether memory and descriptors are limited.
    """

    broker: bool = True
    landlock: int = 0
    seccomp: bool = False
    no_new_privileges: bool = False
    unprivileged: bool = False
    limits: bool = False

    def missing(self) -> list[str]:
        """Return what is not in force."""
        states = {
            "Landlock": self.landlock > 0,
            "seccomp": self.seccomp,
            "no new privileges": self.no_new_privileges,
            "unprivileged ids": self.unprivileged,
            "limits": self.limits,
        }
        return [name for name, state in states.items() if not state]

    def __str__(self) -> str:
        """Tell it in one line."""
        parts = ["a broker process for files"] if self.broker else []
        parts += [f"Landlock (ABI {self.landlock})"] if self.landlock else []
        parts += ["seccomp"] if self.seccomp else []
        parts += ["no new privileges"] if self.no_new_privileges else []
        parts += ["unprivileged ids"] if self.unprivileged else []
        parts += ["limits"] if self.limits else []
        return ", ".join(parts) or "nothing"


def keep_only(descriptors: Iterable[int]) -> None:
    """Close every descriptor but these and the standard streams."""
    kept = sorted({0, 1, 2, *descriptors})
    for low, high in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(low + 1, high)


def enter(*, kvm: bool, landlock: bool = True, seccomp: bool = True) -> Protection:
    """Give up every right that the emulator does not need; there is no way back.

    Args:
        kvm: whether KVM is used, whose descriptors are open.
        landlock: whether to use Landlock where the host has it.
        seccomp: whether to use seccomp where the host has it.

    Raises:
        RuntimeError: another thread is running, which would keep its rights.
    """
    if threading.active_count() > 1:
        raise RuntimeError("the sandbox has to be entered before there is a second thread")
    _load_libraries()
    limits = _limit()
    unprivileged = _become_nobody()
    _end_with_parent()
    abi = _restrict_files() if landlock else 0
    filtered = _filter_calls(kvm=kvm) if seccomp else False
    return Protection(
        landlock=abi,
        seccomp=filtered,
        no_new_privileges=bool(abi) or filtered,
        unprivileged=unprivileged,
        limits=limits,
    )


def _find_nothing(name: str) -> str | None:
    return None


def _load_libraries() -> None:
    """Let the two libraries find the C library now, and without running a compiler for that.

    They ask `ctypes.util.find_library`, which runs programs. What Python is linked with will do.
    """
    find = ctypes.util.find_library
    ctypes.util.find_library = _find_nothing
    try:
        landlockpy.supported()
        seccompy.supported()
    finally:
        ctypes.util.find_library = find


def _limit() -> bool:
    """Limit resources; return whether memory is limited too, which needs the host's /proc."""
    wanted = {resource.RLIMIT_CORE: 0, resource.RLIMIT_NOFILE: _DESCRIPTORS}
    known = os.path.exists("/proc/self/statm")
    if known:
        with open("/proc/self/statm", "rb") as sizes:
            mapped = int(sizes.read().split()[0]) * mmap.PAGESIZE
        wanted[resource.RLIMIT_AS] = mapped + _ADDRESS_SPACE
    for kind, most in wanted.items():
        hard = resource.getrlimit(kind)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))
    return known


def _become_nobody() -> bool:
    """Give up root's ids, and its capabilities with them; return whether there are none left."""
    if os.geteuid() == 0 or os.getuid() == 0:
        try:
            os.setgroups([])
            os.setresgid(_NOBODY, _NOBODY, _NOBODY)
            os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        except OSError:
            # In a user namespace these ids may not exist.
            return False
    return True


def _end_with_parent() -> None:
    """Let the kernel end the emulator if the broker's process ends before it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _restrict_files() -> int:
    """Enter an empty Landlock rule set; return its ABI, or 0 if the host has no Landlock."""
    try:
        scopes = landlockpy.Scope.ABSTRACT_UNIX_SOCKET | landlockpy.Scope.SIGNAL
        with landlockpy.Ruleset(scoped=scopes) as rules:
            rules.restrict()
            return rules.abi_version
    except (OSError, landlockpy.LandlockError):
        return 0


def _filter_calls(*, kvm: bool) -> bool:
    """Load the filter of system calls; return whether the host has seccomp."""
    rules = seccompy.Filter(default=int(seccompy.Action.ERRNO) | errno.EPERM)
    for call in _CALLS:
        rules.allow(call)
    own = os.getpid()
    rules.allow("tgkill", args={0: own})
    # The C library falls back to clone, whose flags can be looked at.
    rules.errno("clone3", errno.ENOSYS)
    threads = seccompy.ArgCmp(0, seccompy.CmpOp.MASKED_EQ, _THREAD, mask=_THREAD)
    rules.allow("clone", args=[threads])
    # Reading flags: F_GETFD, F_GETFL; close-on-exec duplicates.
    for command in (1, 3, 1030):
        rules.allow("fcntl", args={1: command})
    for request in _TERMINAL_REQUESTS:
        rules.allow("ioctl", args={1: request})
    if kvm:
        kind = seccompy.ArgCmp(1, seccompy.CmpOp.MASKED_EQ, _KVM_REQUESTS, mask=0xFF00)
        rules.allow("ioctl", args=[kind])
    # Limits may be asked for, not changed, and of no other process.
    rules.allow("prlimit64", args={0: 0, 2: 0})
    try:
        rules.load()
    except (OSError, seccompy.SeccompError):
        return False
    return True
