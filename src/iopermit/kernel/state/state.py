"""The state of the emulated kernel between two segments, as a tuple of numbered contents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from iopermit.kernel.state.contents import NAMES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.kernel.execution.emulator import Registers
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


class CpuMeta(NamedTuple):
    """What the driver knows of a CPU. Its names: the current task; while switching, also the next.

    Attributes:
        switching: whether it is between two tasks, stopped inside the switch.
        preemptible: whether the kernel code that runs there can be preempted at this point.
        limit: the limit that the task register caches.
        tr: selector, base and attributes that it caches.
        stack: while switching, bytes of the stack in use.
    """

    switching: bool
    limit: int
    tr: tuple[int, int, int]
    stack: int = 0


class Operation(NamedTuple):
    """What a task is doing in the kernel, for when it is done."""

    event: str
    arguments: tuple[tuple[str, int], ...] = ()
    phase: int = 0
    """1 while a failed fork is unwound."""

    def argument(self, name: str) -> int:
        """Return an argument by its name."""
        return dict(self.arguments)[name]


class TaskMeta(NamedTuple):
    """What the driver knows of a task. Its names: a child that is being made, if there is one.

    Attributes:
        mode: `user`; `return`: about to return to user mode; `kernel`: stopped in a system call;
            `thread`: a kernel thread between two events; `embryo`: being forked; `dead`.
        privileged: whether it has CAP_SYS_RAWIO.
        kernel_thread: whether it never returns to user mode.
        grants: number of what it was granted.
        home: the CPU it stays on when tasks do not migrate.
        operation: in the kernel, what it does there.
        preemptible: whether it can be preempted where it stopped.
        stack: in the kernel, bytes of its stack in use.
    """

    mode: str
    privileged: bool = True
    kernel_thread: bool = False
    grants: int = 0
    home: int = 0
    operation: Operation | None = None
    preemptible: bool = True
    stack: int = 0


def pack_registers(registers: Registers) -> bytes:
    """Return registers as bytes, so that they are part of a content."""
    return b"".join(value.to_bytes(8, "little") for value in registers)


def unpack_registers(data: bytes) -> Registers:
    """Return the registers that `pack_registers` packed."""
    return tuple(int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8))


def slot_of(named: int) -> int | None:
    """Return the task slot that a name stands for; None for the idle task."""
    return None if named == IDLE_NAME else named % NAMES
