"""Tasks and processes as the kernel of the machine sees them."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from iopermit.machine.cpu.interface import Context
    from iopermit.machine.errors import Blocked
    from iopermit.machine.files.open_files import FileTable
    from iopermit.machine.memory.address_space import AddressSpace
    from iopermit.machine.strace import PendingCall

SIGNALS: Final = 64
CAP_SYS_RAWIO: Final = 17
ALL_CAPABILITIES: Final = (1 << 41) - 1


@dataclass
class Credentials:
    """User and group ids, and capabilities as bit sets."""

    uid: int = 0
    euid: int = 0
    suid: int = 0
    gid: int = 0
    egid: int = 0
    sgid: int = 0
    groups: tuple[int, ...] = ()
    permitted: int = ALL_CAPABILITIES
    effective: int = ALL_CAPABILITIES
    inheritable: int = 0
    keep: bool = False
    """prctl(PR_SET_KEEPCAPS)."""

    @property
    def raw_io(self) -> bool:
        """Whether CAP_SYS_RAWIO is effective."""
        return bool(self.effective >> CAP_SYS_RAWIO & 1)


@dataclass(frozen=True)
class SignalInfo:
    """What a signal handler is told.

    Attributes:
        number: the signal.
        code: si_code.
        fields: the words after the header of siginfo: address, or pid and uid, or pid, uid and
            status.
        trap: vector, error code and CR2 of the exception, if it was one.
    """

    number: int
    code: int = 0
    fields: tuple[int, ...] = ()
    trap: tuple[int, int, int] | None = None

    @property
    def forced(self) -> bool:
        """Whether it comes from an exception, so that it cannot be ignored or blocked."""
        return self.trap is not None


@dataclass(frozen=True)
class Action:
    """What sigaction(2) set: handler address (0 default, 1 ignore), flags, restorer, mask."""

    handler: int = 0
    flags: int = 0
    restorer: int = 0
    mask: int = 0


@dataclass(eq=False)
class SignalHandlers:
    """The actions for all signals, which threads share."""

    actions: dict[int, Action] = field(default_factory=dict)

    def get(self, signal: int) -> Action:
        """Return the action for a signal."""
        return self.actions.get(signal, Action())

    def copy(self) -> SignalHandlers:
        """Return a copy for a child."""
        return SignalHandlers(dict(self.actions))


class State(enum.Enum):
    """What a task does."""

    RUNNABLE = "runnable"
    BLOCKED = "blocked"
    STOPPED = "stopped"
    DEAD = "dead"


@dataclass(eq=False)
class Process:
    """A thread group."""

    pid: int
    parent: Process | None
    space: AddressSpace
    files: FileTable
    handlers: SignalHandlers
    cwd: str
    path: str
    bits: int
    umask: int = 0o022
    group: int = 0
    session: int = 0
    name: str = ""
    children: list[Process] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)
    pending: deque[SignalInfo] = field(default_factory=deque)
    exit_status: int | None = None
    """As wait4(2) has it, once the process is a zombie."""
    ending: int | None = None
    """The exit status that exit_group(2) or a signal demanded."""
    exit_signal: int = 17
    vfork_done: bool = True
    alarm: int | None = None
    """Virtual time in nanoseconds at which SIGALRM is due."""
    alarm_interval: int = 0
    stop_status: int | None = None
    """The signal that stopped it, if the parent was not told yet."""


@dataclass(eq=False)
class Task:
    """A thread.

    Attributes:
        tid: its number.
        slot: its number in the design's system.
        fpu_frames: FPU states of interrupted code, by address of the signal frame.
    """

    tid: int
    slot: int
    process: Process
    context: Context
    credentials: Credentials
    state: State = State.RUNNABLE
    affinity: frozenset[int] = frozenset()
    wait: Blocked | None = None
    wait_data: Any = None
    """What a system call keeps while it is made again and again."""
    call: tuple[int, int] | None = None
    """ABI and number of the system call that waits."""
    traced: PendingCall | None = None
    mask: int = 0
    saved_mask: int | None = None
    """The mask to go back to, after sigsuspend(2) and the like."""
    pending: deque[SignalInfo] = field(default_factory=deque)
    alternate_stack: tuple[int, int, int] = (0, 2, 0)
    """Address, flags and size of sigaltstack(2)."""
    clear_tid: int = 0
    killed: bool = False
    """Whether it ends before it gets to user mode again, because of another thread's execve."""
    fpu_frames: dict[int, object] = field(default_factory=dict)
    last_cpu: int = 0

    @property
    def bits(self) -> int:
        """Word size of its program."""
        return self.context.bits

    def has_pending(self) -> bool:
        """Return whether a signal is pending that is not blocked."""
        return any(
            not self.mask >> info.number - 1 & 1 or info.forced
            for info in (*self.pending, *self.process.pending)
        )
