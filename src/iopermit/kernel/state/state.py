"""The state of the emulated kernel between two transitions, as a tuple of numbered contents."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple

from iopermit.kernel.state.contents import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.kernel.state.contents import Component

IDLE_NAME: Final = 0
"""The name that stands for a CPU's own idle task."""


class State(NamedTuple):
    """Everything that can differ. `None` is a free slot."""

    cpus: tuple[Component, ...]
    tasks: tuple[Component | None, ...]
    heap: tuple[Component | None, ...]
    data: Component

    def components(self) -> Iterator[Component]:
        """Yield every component that exists."""
        yield from self.cpus
        yield from (task for task in self.tasks if task is not None)
        yield from (used for used in self.heap if used is not None)
        yield self.data


class TaskMode(enum.StrEnum):
    """What a task is doing. Strings, since contents are looked up by it and these hash fast."""

    USER = "user"
    RETURN = "return"
    """About to return to user mode."""
    KERNEL = "kernel"
    """Stopped in a system call."""
    THREAD = "thread"
    """A kernel thread between two events."""
    EMBRYO = "embryo"
    """Being forked."""
    EXITING = "exiting"
    """It executed exit_thread(). do_exit() goes on for long, sleeps, and can be preempted."""
    DEAD = "dead"
    """It waits to be switched out for the last time."""


class CpuMeta(NamedTuple):
    """What the driver knows of a CPU. Its names: the current task; while switching, also the next.

    Attributes:
        switching: whether it is between two tasks, stopped inside the switch.
        limit: the limit that the task register caches.
        tr: selector, base and attributes that it caches.
        stack: while switching, bytes of the stack in use.
    """

    switching: bool
    limit: int
    tr: tuple[int, int, int]
    stack: int = 0


class PendingOperation(NamedTuple):
    """What a task is doing in the kernel, for when it is done."""

    event: str
    arguments: tuple[tuple[str, int], ...] = ()
    phase: int = 0
    """Which of the calls of the event's operation is being executed."""

    @property
    def returns_to_user(self) -> bool:
        """Whether the task is on its way back to user mode."""
        return self.event == RETURN_TO_USER.event


RETURN_TO_USER: Final = PendingOperation("return")
"""What a task does that leaves the kernel."""


class TaskMeta(NamedTuple):
    """What the driver knows of a task. Its names: a child that is being made, if there is one.

    Attributes:
        mode: what it is doing.
        privileged: whether it has CAP_SYS_RAWIO.
        kernel_thread: whether it never returns to user mode.
        grants: number of what it was granted.
        home: the CPU it stays on when tasks do not migrate.
        operation: in the kernel, what it does there.
        preemptible: whether it can be preempted where it stopped.
        stack: in the kernel, bytes of its stack in use.
    """

    mode: TaskMode
    privileged: bool = True
    kernel_thread: bool = False
    grants: int = 0
    home: int = 0
    operation: PendingOperation | None = None
    preemptible: bool = True
    stack: int = 0


def slot_of(named: int) -> int | None:
    """Return the task slot that a name stands for; None for the idle task."""
    return None if named == IDLE_NAME else named % NAMES
