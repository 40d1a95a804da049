"""Finds, in a rehearsal, the instruction behind which a task is to be preempted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from iopermit.report.reproduction.facts import PreemptionPoint
from iopermit.reproduce.errors import UnforcedError
from iopermit.reproduce.left_state import LeftState

if TYPE_CHECKING:
    from iopermit.reproduce.debugger.kernel import SeenTask, StoppedKernel
    from iopermit.reproduce.debugger.remote import Registers

_MOST_STORES: Final = 1000
"""Stores to a watched word before it is given up."""
_MOST_INSTRUCTIONS: Final = 3000
"""Instructions behind the window that are looked at one by one."""


@dataclass(frozen=True)
class StateWatch:
    """A word of a task in memory, and what it is to become."""

    offset: int
    """From the start of the task's structure."""
    size: int
    mask: int
    """The bits that are to be clear."""

    @classmethod
    def on(cls, state: LeftState, kernel: StoppedKernel, flag: int) -> StateWatch:
        """Return what shows a state.

        Args:
            state: the state.
            kernel: tells where tasks have what.
            flag: the bits of a task's flags that a grant sets (TIF_IO_BITMAP).
        """
        if state is LeftState.FLAG_CLEARED:
            return cls(kernel.layout.flags, 4, flag)
        return cls(kernel.layout.io_bitmap, 8, (1 << 64) - 1)

    def reached(self, kernel: StoppedKernel, task: SeenTask) -> bool:
        """Return whether the word has become what it is to become."""
        value = kernel.debugger.read_number(task.address + self.offset, self.size)
        return not value & self.mask


@dataclass(frozen=True)
class Window:
    """Where a task is in the kernel when it is preempted: addresses of instructions."""

    before: int
    """The instruction that stores what the counterexample needs."""
    within: int
    """The one behind it."""
    after: int
    """The first one behind it where the task can be preempted again."""
    watch: StateWatch
    forbidden: int | None = None
    """Where the counterexample has the task preempted, if preemption is off there; then `within` is
    the first place behind it where it can be."""

    def address(self, position: PreemptionPoint) -> int:
        """Return the instruction before which the task is held."""
        return {
            PreemptionPoint.WINDOW: self.within,
            PreemptionPoint.BEFORE: self.before,
            PreemptionPoint.AFTER: self.after,
        }[position]


def find_window(
    kernel: StoppedKernel, task: SeenTask, cpu: int, watch: StateWatch, step: int
) -> Window:
    """Follow a task, which has just entered the kernel, to the window and beyond.

    Args:
        kernel: the stopped kernel.
        task: the task.
        cpu: its CPU.
        watch: what it is going to store.
        step: the number of the step, for messages.

    Raises:
        UnforcedError: it does not store that.
    """
    debugger = kernel.debugger
    address = task.address + watch.offset
    debugger.watch(address, watch.size)
    for _ in range(_MOST_STORES):
        cpu = debugger.go_on()
        if watch.reached(kernel, task):
            break
    else:
        raise UnforcedError(step, "the kernel does not store what the step leaves")
    debugger.watch_no_more(address, watch.size)
    registers = kernel.registers(cpu)
    within = registers["rip"]
    before, off = kernel.instruction_before(within), kernel.preemption_is_off(registers)
    after = _preemptible_again(kernel, registers, cpu)
    if off:
        return Window(before, after, after, watch, forbidden=within)
    return Window(before, within, after, watch)


def _preemptible_again(kernel: StoppedKernel, registers: Registers, cpu: int) -> int:
    """Execute up to a region without preemption, and to its end; return the next instruction."""
    was_off = kernel.preemption_is_off(registers)
    for _ in range(_MOST_INSTRUCTIONS):
        kernel.debugger.step(cpu)
        registers = kernel.registers(cpu)
        off = kernel.preemption_is_off(registers)
        if was_off and not off:
            break
        was_off = was_off or off
    return registers["rip"]
