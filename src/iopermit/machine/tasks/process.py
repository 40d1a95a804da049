"""Tasks and processes as the kernel of the machine sees them."""

from __future__ import annotations

import enum
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from iopermit.machine.cpu.interface import UserContext
    from iopermit.machine.credentials import Credentials
    from iopermit.machine.errors import Blocked
    from iopermit.machine.files.open_files import FileTable
    from iopermit.machine.memory.address_space import AddressSpace

SIGNALS: Final = 64
_MOST_PENDING: Final = 4096
"""RLIMIT_SIGPENDING: more signals are lost."""
_REAL_TIME_SIGNALS: Final = 32
"""Signals below this number do not queue: one that is pending already is not pending twice."""


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


@dataclass(frozen=True)
class SignalAction:
    """What sigaction(2) set: handler address (0 default, 1 ignore), flags, restorer, mask."""

    handler: int = 0
    flags: int = 0
    restorer: int = 0
    mask: int = 0


@dataclass(eq=False)
class SignalHandlers:
    """The actions for all signals, which threads share."""

    actions: dict[int, SignalAction] = field(default_factory=dict)

    def get(self, signal: int) -> SignalAction:
        """Return the action for a signal."""
        return self.actions.get(signal, SignalAction())

    def copy(self) -> SignalHandlers:
        """Return a copy for a child."""
        return SignalHandlers(dict(self.actions))


@dataclass(frozen=True, slots=True)
class PendingCall:
    """A system call that waits: its ABI (64 or 32), its number, and its name."""

    abi: int
    number: int
    name: str


class TaskState(enum.Enum):
    """What a task does."""

    RUNNABLE = "runnable"
    BLOCKED = "blocked"
    STOPPED = "stopped"
    DEAD = "dead"


@dataclass(eq=False)
class UserProcess:
    """A thread group."""

    pid: int
    parent: UserProcess | None
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
    children: list[UserProcess] = field(default_factory=list)
    tasks: list[UserTask] = field(default_factory=list)
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
    arguments_at: tuple[int, int] = (0, 0)
    """Where the arguments of the program lie in its memory."""
    environment_at: tuple[int, int] = (0, 0)
    stop_status: int | None = None
    """The signal that stopped it, if the parent was not told yet."""


@dataclass(eq=False)
class UserTask:
    """A thread.

    Attributes:
        tid: its number.
        slot: its number in the design's system.
        fpu_frames: FPU states of interrupted code, by address of the signal frame.
    """

    tid: int
    slot: int
    process: UserProcess
    context: UserContext
    credentials: Credentials
    state: TaskState = TaskState.RUNNABLE
    affinity: frozenset[int] = frozenset()
    wait: Blocked | None = None
    wait_data: Any = None
    """What a system call keeps while it is made again and again."""
    call: PendingCall | None = None
    """The system call that it waits in."""
    traced: str | None = None
    """How strace shows a system call whose result is not known yet."""
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


def post(target: UserTask | UserProcess, info: SignalInfo) -> None:
    """Make a signal pending for a task or for a process."""
    queue = target.pending
    if len(queue) >= _MOST_PENDING:
        return
    if info.number < _REAL_TIME_SIGNALS and any(other.number == info.number for other in queue):
        return
    queue.append(info)
