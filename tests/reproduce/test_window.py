"""The place of a preemption is found by following a task through the kernel once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest
from tests.support.reproduce.memory import LAYOUT, MemoryDebugger, registers

from iopermit.report.reproduction.facts import PreemptionPoint
from iopermit.reproduce.debugger.kernel import SeenTask, StoppedKernel
from iopermit.reproduce.debugger.symbols import SymbolTable
from iopermit.reproduce.errors import UnforcedError
from iopermit.reproduce.left_state import LeftState
from iopermit.reproduce.window import StateWatch, Window, find_window

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.reproduce.debugger.remote import Registers, RemoteDebugger

SYMBOLS = {"current_task": 0x40, "__preempt_count": 0x48, "jiffies_64": 0x9000, "update": 0x2000}
TASK = SeenTask(0x5000, "A", 0)
FLAG = 0x400000
OFF, ON = 0x80000001, 0x80000000
"""Preempt counts: preemption is off and on, and nobody waits."""
COUNT = 0x10000 + 0x48


@dataclass
class FollowedTask(MemoryDebugger):
    """A task whose next stops and instructions are written down."""

    stops: list[Callable[[], None]] = field(default_factory=list)
    instructions: list[tuple[int, int]] = field(default_factory=list)
    """For each instruction where it ends, and the preempt count then."""

    def watch(self, address: int, size: int) -> None:
        """Note what is watched."""
        self.done.append(f"watch {address:x} {size}")

    def watch_no_more(self, address: int, size: int) -> None:
        """Note that it is watched no more."""
        self.done.append(f"no {address:x} {size}")

    def go_on(self) -> int:
        """Run up to the next stop that is written down."""
        if self.stops:
            self.stops.pop(0)()
        return 0

    def step(self, cpu: int) -> None:
        """Execute the next instruction that is written down."""
        assert cpu == 0
        self.rip, count = self.instructions.pop(0) if self.instructions else (0, ON)
        self.write_number(COUNT, count, 4)

    def registers(self, cpu: int | None = None) -> Registers:
        """Return the registers."""
        assert cpu in (None, 0)
        return registers(rip=self.rip)


def followed(*, off_at_store: bool) -> FollowedTask:
    """Return a task that stores at 0x2001: first something else, then what is waited for."""
    task = FollowedTask()
    # push %rbx; lock andb $0xbf,0x2(%rdi); nop; ret
    task.write(0x2000, bytes.fromhex("53 f0 80 67 02 bf 90 c3"))
    task.task(TASK.address, "A.0", flags=FLAG | 8)
    task.write_number(COUNT, OFF if off_at_store else ON, 4)

    def other() -> None:
        task.task(TASK.address, "A.0", flags=FLAG)

    def cleared() -> None:
        task.rip = 0x2006
        task.task(TASK.address, "A.0", flags=0)

    task.stops = [other, cleared]
    task.instructions = [(0x2007, OFF), (0x3000, OFF), (0x2008, ON), (0x2009, ON)]
    return task


def found(task: FollowedTask) -> Window:
    """Return the window of a task."""
    kernel = StoppedKernel(cast("RemoteDebugger", task), LAYOUT, SymbolTable(SYMBOLS))
    watch = StateWatch.on(LeftState.FLAG_CLEARED, kernel, FLAG)
    return find_window(kernel, TASK, 0, watch, 2)


def test_the_window_is_behind_the_store() -> None:
    """Before is the storing instruction, within the next, after where preemption is on again."""
    task = followed(off_at_store=False)
    window = found(task)
    assert window.address(PreemptionPoint.BEFORE) == 0x2001
    assert window.address(PreemptionPoint.WINDOW) == 0x2006
    assert window.address(PreemptionPoint.AFTER) == 0x2008
    assert window.forbidden is None
    assert task.done == ["watch 5000 4", "no 5000 4"]


def test_a_window_without_preemption_is_moved_behind() -> None:
    """Where the kernel forbids preemption, the first place behind it counts, and that is known."""
    window = found(followed(off_at_store=True))
    assert window.forbidden == 0x2006
    assert window.address(PreemptionPoint.WINDOW) == 0x2008


def test_a_state_that_does_not_come_is_told() -> None:
    """A kernel that never stores what the step leaves has no such point."""
    task = followed(off_at_store=False)
    task.stops = []
    with pytest.raises(UnforcedError, match="does not store what the step leaves") as error:
        found(task)
    assert error.value.step == 2


def test_a_pointer_is_watched_as_a_whole() -> None:
    """A task's map is dropped when all eight bytes of its pointer are zero."""
    memory = MemoryDebugger()
    kernel = StoppedKernel(cast("RemoteDebugger", memory), LAYOUT, SymbolTable(SYMBOLS))
    watch = StateWatch.on(LeftState.MAP_DROPPED, kernel, 0)
    memory.write_number(TASK.address + LAYOUT.io_bitmap, 1 << 63)
    assert not watch.reached(kernel, TASK)
    memory.write_number(TASK.address + LAYOUT.io_bitmap, 0)
    assert watch.reached(kernel, TASK)
