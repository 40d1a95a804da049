"""Executes kernel code up to its next access to memory, whatever it accesses: no reduction.

It is what the scheduling points, liveness and all that rests on them are compared with, and shares
nothing with them (docs/kernel-trees.md, "The reference mode").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.kernel.execution.executor import Executor, TransitionEnd
from iopermit.kernel.execution.scheduling_points import SchedulingPoints

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.kernel.cpu.registers import Registers
    from iopermit.kernel.state.guest_memory import GuestMemory

_EVERYWHERE = (0, 1 << 64)


class EveryAccessExecutor(Executor):
    """An executor whose transitions are one instruction that accesses memory, and what follows."""

    def __init__(self, memory: GuestMemory, *, preempt: bool, failures: bool, header: int) -> None:
        """Install the hooks: the arguments are those of `Executor`."""
        self._stopping = False
        self._instructions = 0
        # Before the hooks of `Executor`, which judges stores: it stops first.
        memory.emulator.on_access(self._before_access, [_EVERYWHERE])
        super().__init__(memory, preempt=preempt, failures=failures, header=header)
        memory.whole_stacks = True
        self.accesses.points = SchedulingPoints(every_access=True)
        self.emulator.on_instruction(lambda _, __: self._begin_instruction())

    def watch(self, points: SchedulingPoints) -> None:
        """Stop before every access from now on, or before none."""
        self._stopping = points.every_access

    def _watch_maps(self) -> None:
        """Note nothing: points are known."""

    def call(
        self, function: int, arguments: Iterable[int], stack: int, *, interrupts: bool
    ) -> TransitionEnd:
        """Call a function of the image on a stack with nothing on it, up to the next access."""
        bottom = stack - stack % self.layout.stack_size
        self.emulator.write(bottom, bytes(stack - bottom))
        return super().call(function, arguments, stack, interrupts=interrupts)

    def _start(self, skip: int, *, preemptible: bool) -> None:
        super()._start(skip, preemptible=preemptible)
        self._instructions = 0
        # Nothing in memory is taken to be still what it was.
        self.accesses.foreign = True

    def _run(self, registers: Registers) -> TransitionEnd:
        return self._end(self.emulator.resume(registers))

    def _kept(self, registers: Registers) -> Registers:
        return registers

    def _begin_instruction(self) -> None:
        self._instructions += 1

    def _accessed(self, write: bool, address: int, _: int, __: int) -> None:  # noqa: FBT001 - Unicorn's
        if write:
            self._is_forbidden(address)

    def _before_access(self, write: bool, address: int, size: int, _: int) -> None:  # noqa: FBT001 - Unicorn's
        if self._stops() or not self._stopping or self.memory.cpus == 1:
            return
        if self._instructions <= 1 and self.first.accesses(address, size, write):
            self._stop(preemptible=False, halfway=True)

    def _host_call(self, called: str) -> None:
        # Whatever a host function accesses, it is one access.
        self._begin_instruction()
        if not self._stops(sleeps=self._sleeps(called)):
            super()._host_call(called)

    def _stops_before(self, _: str) -> bool:
        return False

    def _stops(self, *, sleeps: bool = False) -> bool:
        """Stop before an access, unless the first instruction makes it; return whether it stops."""
        if self._instructions <= 1 or not self._stopping:
            return False
        preemptible = sleeps or (self.preempt and self.preemptible())
        if preemptible or self.memory.cpus > 1:
            self._stop(preemptible=preemptible)
            return True
        return False
