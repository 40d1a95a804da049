"""What an event does, written once: every reading of a design and of a kernel tree follows this.

An operation is a little program over the few things that can change beside a hook: what the
specification has granted, who has a privilege, which tasks there are, what the processor caches.
The simulation executes it (`iopermit.system.events.entries`), and the translator turns it into
steps of the model.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

from iopermit.system.events import hooks
from iopermit.system.events.hooks import Hook, Kind


class Effect(enum.Enum):
    """Something that changes beside what hooks do; it takes no step of its own."""

    GRANT_PORTS = enum.auto()
    """The task is granted `ports`, or loses them, as `turn_on` says.

    To gain one without CAP_SYS_RAWIO is a leak, unless the design says that its kernel has no
    such rule (`Design.ioperm_needs_privilege`)."""
    GRANT_LEVEL = enum.auto()
    """The task is granted the I/O privilege level `level`, instead of the one it had.

    For a gain the same holds as for ports (`Design.iopl_needs_privilege`)."""
    REVOKE_LEVEL = enum.auto()
    """The task is granted level 0."""
    REVOKE_ALL = enum.auto()
    """The task is granted nothing any more."""
    DROP_PRIVILEGE = enum.auto()
    """The task has no CAP_SYS_RAWIO from now on."""
    LOWER_TSS_LIMIT = enum.auto()
    """The limit that the CPU caches in TR becomes 0x67."""
    LOAD_TASK_REGISTER = enum.auto()
    """The CPU loads TR, so that it caches the full limit of the TSS."""
    MOVE_TASKS = enum.auto()
    """The tasks that are bound to the CPU are bound to `home`, where tasks do not migrate."""
    MAKE_CHILD = enum.auto()
    """The free slot `child` gets a copy of the task; `kernel_thread` says whether it is one."""
    START_CHILD = enum.auto()
    """The child is granted what the task is, and can run."""
    FREE_CHILD = enum.auto()
    """The child is gone."""
    STOP_TARGET = enum.auto()
    """The task in the slot `target` cannot be run any more."""
    RELEASE_TARGET = enum.auto()
    """It can be run again, and goes on where it was."""
    REPORT_REFUSAL = enum.auto()
    """A granted port was finally refused: a loss."""
    COUNT_REFUSAL = enum.auto()
    """A granted port is refused once more in a row; if it is not `granted`, the row ends.

    What else ends it is no effect: that nothing granted is refused any more when the task enters
    user mode, another event that the task begins, a context switch of its CPU."""


@dataclass(frozen=True)
class HookResult:
    """What the last hook returned: an error number, or true."""


@dataclass(frozen=True)
class Argument:
    """An argument of the event that is a flag."""

    name: str


@dataclass(frozen=True)
class Says:
    """A constant of the design's class that is a flag."""

    name: str


@dataclass(frozen=True)
class Has:
    """The design has a hook."""

    hook: Hook


@dataclass(frozen=True)
class Not:
    """The opposite of a condition."""

    condition: Condition


@dataclass(frozen=True)
class Every:
    """All of several conditions."""

    conditions: tuple[Condition, ...]


Condition: TypeAlias = HookResult | Argument | Says | Has | Not | Every


@dataclass(frozen=True)
class Call:
    """The design's hook, and then a step of its own with what follows the call."""

    hook: Hook
    """Without it only the step is there."""
    returns: str
    """What the step is called."""
    first: str = ""
    """What the kernel does before it calls the hook, if that may sleep: a step of its own before
    the hook, in which nothing changes that a design can see. Without the hook it is not there."""


@dataclass(frozen=True)
class Decision:
    """A decision, made in the step in which it stands."""

    condition: Condition
    then: Body
    otherwise: Body = ()


Node: TypeAlias = "Effect | Call | Decision"
Body: TypeAlias = "tuple[Node, ...]"


@dataclass(frozen=True)
class Operation:
    """What a task does in the kernel because of an event, or a CPU with no task to run."""

    name: str
    body: Body = ()
    at_once: tuple[Effect, ...] = ()
    """What changes together with the event itself, before the first step."""
    arguments: tuple[tuple[str, Kind], ...] = ()
    """The arguments of the event that the body uses."""
    leaves: bool = True
    """Whether the task goes back to where it came from in the end; else it is dead."""

    @property
    def counts_refusals(self) -> bool:
        """Whether it goes on with a row of refusals; all others end it when they begin."""
        return Effect.COUNT_REFUSAL in self.at_once

    @property
    def sleeps_before(self) -> frozenset[str]:
        """The steps behind calls before which more of the kernel is executed, which may sleep."""
        every = enumerate(calls(self.body))
        more = {c.returns for n, c in every if any(calls(following(self.body, n)))}
        return frozenset(more if self.leaves else (c.returns for c in calls(self.body)))

    def __post_init__(self) -> None:
        """Refuse a body in which something would come before the first step."""
        if self.body and not isinstance(self.body[0], Call):
            message = f"the body of {self.name!r} must begin with a call; see `at_once`"
            raise ValueError(message)


def effects(body: Body) -> Iterator[Effect]:
    """Yield the effects that a body can have, in the order in which they are written."""
    for node in body:
        match node:
            case Effect():
                yield node
            case Decision(_, then, otherwise):
                yield from effects((*then, *otherwise))


def calls(body: Body) -> Iterator[Call]:
    """Yield the calls that a body can make, in the order in which they are written."""
    for node in body:
        match node:
            case Call():
                yield node
            case Decision(_, then, otherwise):
                yield from calls((*then, *otherwise))


def following(body: Body, number: int) -> Body:
    """Return what follows the call of that number (from 0, in the order of `calls`)."""
    for index, node in enumerate(body):
        inside = len(list(calls((node,))))
        if number < inside:
            rest = body[index + 1 :]
            if not isinstance(node, Decision):
                return rest
            before = len(list(calls(node.then)))
            branch = (node.then, number) if number < before else (node.otherwise, number - before)
            return (*following(*branch), *rest)
        number -= inside
    message = "the body has no such call"
    raise IndexError(message)


_SUCCEEDED: Final = Not(HookResult())

IOPERM: Final = Operation(
    "ioperm",
    (Call(hooks.IOPERM, "ioperm() returns"), Decision(_SUCCEEDED, (Effect.GRANT_PORTS,))),
    arguments=(("ports", Kind.PORTS), ("turn_on", Kind.FLAG)),
)
IOPL: Final = Operation(
    "iopl",
    (Call(hooks.IOPL, "iopl() returns"), Decision(_SUCCEEDED, (Effect.GRANT_LEVEL,))),
    arguments=(("level", Kind.LEVEL),),
)
_UNWIND: Final[Body] = (Call(hooks.FORK_FAILED, "fork: unwound"), Effect.FREE_CHILD)
FORK: Final = Operation(
    "fork",
    (
        Call(hooks.FORK, "fork returns", "fork: the address space is copied"),
        Decision(
            _SUCCEEDED,
            (Decision(Argument("fails"), _UNWIND, (Effect.START_CHILD,)),),
            (Effect.FREE_CHILD,),
        ),
    ),
    at_once=(Effect.MAKE_CHILD,),
    arguments=(("child", Kind.TASK), ("fails", Kind.FLAG)),
)
FORK_FAILS_EARLY: Final = Operation(
    "fork-fails-early",
    (
        Call(hooks.FORK_FAILED_EARLY, "fork: the copy is gone", "fork: what was copied is freed"),
        Effect.FREE_CHILD,
    ),
    at_once=(Effect.MAKE_CHILD,),
    arguments=(("child", Kind.TASK),),
)
"""What Linux does from dup_task_struct() up to copy_thread(): of what fails there, copy_process()
undoes all by labels below that of exit_thread(), and free_task() frees the structure."""
EXIT: Final = Operation(
    "exit",
    (Call(hooks.EXIT, "the task is dead", "exit: the address space is freed"), Effect.REVOKE_ALL),
    leaves=False,
)
"""do_exit() calls exit_mm() and exit_files(), which sleep, before exit_thread()."""
EXEC: Final = Operation(
    "exec",
    (
        Call(hooks.EXECVE, "execve() returns", "execve: the old address space is freed"),
        Decision(
            Every((Has(hooks.EXECVE), Not(Says("iopl_survives_exec")))),
            (Effect.REVOKE_LEVEL,),
        ),
    ),
)
DROP_PRIVILEGE: Final = Operation("drop-privilege", at_once=(Effect.DROP_PRIVILEGE,))
VM_EXIT: Final = Operation(
    "vm-exit",
    (Call(hooks.VM_EXIT, "return from the system call"),),
    at_once=(Effect.LOWER_TSS_LIMIT,),
)
READ_MAP: Final = Operation(
    "read-map",
    (
        Call(hooks.READ_MAP, "the map is read", "the buffer for the map is allocated"),
        Effect.RELEASE_TARGET,
    ),
    at_once=(Effect.STOP_TARGET,),
    arguments=(("target", Kind.TASK),),
)
"""A tracer gets no further than ptrace_check_attach() in Linux before the target is on no CPU
(wait_task_inactive()); nothing wakes it before the dump is done (ptrace_freeze_traced())."""
FAULT: Final = Operation(
    "fault",
    (
        Call(hooks.GENERAL_PROTECTION, "the #GP handler returns"),
        Decision(Every((Argument("granted"), Not(HookResult()))), (Effect.REPORT_REFUSAL,)),
    ),
    at_once=(Effect.COUNT_REFUSAL,),
    arguments=(("granted", Kind.FLAG),),
)
CPU_OFFLINE: Final = Operation(
    "cpu-offline",
    (Call(hooks.BRING_UP, "the CPU is up again"),),
    at_once=(Effect.LOAD_TASK_REGISTER, Effect.MOVE_TASKS),
)
"""Down and up again in one: a CPU that is down does what an idle one does, which is nothing.

The idle task does it, in the context of the CPU, as a context switch from the idle task to itself.
"""
