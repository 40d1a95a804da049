"""Control state: where each task and CPU is, what tasks were granted, what can happen next."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from iopermit import arch
from iopermit.arch.lazy import np
from iopermit.system.bitmap import PORTS, PortRange
from iopermit.system.design import Design
from iopermit.system.events import Event
from iopermit.system.position import Position, Stack, Steps
from iopermit.system.tss_memory import TssMemory

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Mode(enum.Enum):
    """What a task is doing."""

    FREE = "free"
    """The slot is no task."""
    USER = "user"
    """It executes user code, or would if it had a CPU."""
    KERNEL_THREAD = "kernel thread"
    """A kernel thread between two events."""
    EMBRYO = "embryo"
    """A child that is being forked."""
    STOPPED = "stopped"
    """It waits in user mode while another task reads what it has, and cannot be run."""
    DEAD = "dead"
    """It exited and waits to be switched out."""
    KERNEL = "kernel"
    """It is before a step of kernel code."""
    IDLE = "idle"
    """A CPU's idle task."""


class Grants:
    """What the kernel promised a task: the specification's own record."""

    def __init__(self) -> None:
        """Grant nothing."""
        self.ports: NDArray[np.bool_] = np.zeros(PORTS, np.bool_)
        self.iopl = 0

    @property
    def allowed(self) -> NDArray[np.bool_]:
        """For each port whether the task may use it."""
        return np.ones(PORTS, np.bool_) if self.iopl == arch.MAX_PRIVILEGE_LEVEL else self.ports

    def gained_ports(self, ports: PortRange) -> NDArray[np.bool_]:
        """Return which ports of a range ioperm(2) has not granted yet, whatever the level is."""
        gained = np.zeros(PORTS, np.bool_)
        part = slice(ports.first, ports.first + ports.count)
        gained[part] = ~self.ports[part]
        return gained

    def gained_by_level(self, level: int) -> NDArray[np.bool_]:
        """Return which ports an I/O privilege level opens that the task does not have already.

        If ioperm(2) has granted all of them, the level that opens them again is a gain of all.
        """
        if level != arch.MAX_PRIVILEGE_LEVEL or self.iopl == level:
            return np.zeros(PORTS, np.bool_)
        return ~self.ports if not self.ports.all() else self.ports.copy()

    def change(self, ports: PortRange, turn_on: bool) -> None:
        """Grant or revoke a range."""
        self.ports[ports.first : ports.first + ports.count] = turn_on

    def copy_from(self, other: Grants) -> None:
        """Take over what another task was granted."""
        self.ports, self.iopl = other.ports.copy(), other.iopl

    def clear(self) -> None:
        """Revoke everything."""
        self.ports[:] = False
        self.iopl = 0


@dataclass(eq=False)
class ExecutionContext:
    """Something that executes steps: a task's kernel code, or a CPU's context switch."""

    record: Any
    index: int
    steps: Steps | None = None
    stack: Stack = ()
    """Before the next step; empty if there is none."""

    @property
    def positions(self) -> tuple[Position, ...]:
        """Where the next step stands, the outermost function first."""
        return tuple(frame.position for frame in self.stack)


@dataclass(eq=False)
class Thread(ExecutionContext):
    """A task slot."""

    mode: Mode = Mode.FREE
    home: int = 0
    """The CPU it stays on when tasks do not migrate."""
    cpu: int = 0
    """The CPU it is on, or was on last."""
    interrupts_off: bool = False
    """Whether its whole kernel code cannot be preempted now."""
    grants: Grants = field(default_factory=Grants)
    result: Any = None
    """What its last hook returned."""
    refusals: int = 0
    """How often in a row a granted port was refused and the #GP handler said "again"."""

    @property
    def preemptible(self) -> bool:
        """Whether the task is before a step of kernel code that can be preempted."""
        off = self.interrupts_off or any(p.preemption_off for p in self.positions)
        return self.mode is Mode.KERNEL and not off

    @property
    def sleeps(self) -> bool:
        """Whether the task may be switched out here even if kernel code cannot be preempted.

        An allocation may sleep (Linux, `GFP_KERNEL`), and so does what comes before exit_thread(),
        flush_thread() and copy_thread(), and what follows exit_thread() in do_exit() and
        copy_thread() in copy_process(). On the way back to user mode, the kernel
        schedules when it is asked to, and then does the last work (exit_to_user_mode_loop() in
        kernel/entry/common.c, prepare_exit_to_usermode() before v5.8).
        """
        here = self.positions[-1:]
        return self.preemptible and any(p.may_sleep or p.allocates for p in here)


@dataclass(frozen=True, eq=False)
class Gain:
    """Ports that a call granted to a task that had no CAP_SYS_RAWIO."""

    thread: Thread
    ports: NDArray[np.bool_]
    granted: NDArray[np.bool_]
    """What the task was granted before the call."""


@dataclass(eq=False, kw_only=True)
class Processor(ExecutionContext):
    """A CPU; its steps are those of a context switch, or of coming up again."""

    tss: Any
    memory: TssMemory
    previous: Thread | None = None
    following: Thread | None = None

    @property
    def switching(self) -> bool:
        """Whether the CPU is between two tasks, or coming up again."""
        return self.following is not None

    @property
    def coming_up(self) -> bool:
        """Whether the CPU was down and is coming up: it switches from its idle task to itself."""
        return self.switching and self.following is self.previous

    def tss_view(self, design: Design) -> arch.LoadedTss:
        """Return the TSS as the processor (or a hypervisor) consults it, in its real memory."""
        return self.memory.view(
            self.tss.io_map_base,
            design.map_in_force(self.record),
            covered=design.limit_covers_map(self.record),
            beyond_allowed=design.ports_beyond_map_allowed(self.record),
        )

    def allowed_ports(self, design: Design, thread: Thread) -> NDArray[np.bool_]:
        """Return for each of the 65,536 ports whether the processor lets `thread` use it now."""
        return arch.permitted_ports(
            1,
            cpl=arch.MAX_PRIVILEGE_LEVEL,
            iopl=design.iopl_in_force(self.record, thread.record),
            vm86=False,
            protected=True,
            tss=self.tss_view(design),
        )


CONTINUE: Final = "step"
"""The name of the action with which a CPU goes on with what it is executing."""


@dataclass(frozen=True)
class Action:
    """Something that can happen next on a CPU."""

    cpu: int
    event: str
    """The name of an event (`iopermit.system.events`), or `step`."""
    arguments: tuple[tuple[str, int], ...] = ()
    """first, end (scenario longs), turn_on; level; child, target (slots); following; granted; home
    (CPU)."""
    choice: int | None = None
    """The slot that an allocation gets; the number of slots of its class: it fails."""

    def __getitem__(self, name: str) -> int:
        """Return an argument. Raises KeyError."""
        return dict(self.arguments)[name]

    @property
    def is_step(self) -> bool:
        """Whether the CPU goes on with what it is executing."""
        return self.event == CONTINUE

    @property
    def is_switch(self) -> bool:
        """Whether a context switch starts."""
        return self.event == Event.SWITCH.name


def action(cpu: int, event: str, **arguments: int) -> Action:
    """Return an action with named arguments."""
    return Action(cpu, event, tuple(arguments.items()))


class ThisCpu:
    """The CPU that a task is on, whichever that is when a field is accessed (this_cpu_ptr)."""

    __slots__ = ("_find",)

    def __init__(self, processors: Sequence[Processor], thread: Thread) -> None:
        """Stand for the CPU of `thread`, one of `processors`."""
        object.__setattr__(self, "_find", lambda: processors[thread.cpu].record)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any field
        """Read a field of the CPU."""
        return getattr(self._find(), name)

    def __setattr__(self, name: str, value: object) -> None:
        """Write a field of the CPU."""
        setattr(self._find(), name, value)
