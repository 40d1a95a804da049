"""Executes one action on a state: an event, the next transition of a task, or a context switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.kernel.cpu.registers import READ_SIZE
from iopermit.kernel.execution import entry
from iopermit.kernel.execution.successor import SuccessorReader
from iopermit.kernel.execution.transition import Transition
from iopermit.kernel.state.contents import CPU, HEAP, TASK, name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.kernel.cpu.crashes import Crash
    from iopermit.kernel.execution.kernel import EmulatedKernel
    from iopermit.kernel.state.state import State
    from iopermit.system.execution import Action


@dataclass(frozen=True)
class Outcome:
    """What an action leads to.

    Attributes:
        choices: what the allocations on the way were given: heap slots, or -1 for a failure.
        state: the state afterwards; None if the kernel crashed.
        crash: how it crashed.
        foreign: whether memory was accessed that the action should have nothing to do with.
        heap: whether the heap was accessed.
        tss: whether the TSS of a CPU was accessed.
        result: what the kernel function returned, if it did return.
        halfway: whether it stopped inside an instruction, which has read and not yet written.
    """

    choices: tuple[int, ...]
    state: State | None
    crash: Crash | None = None
    foreign: bool = False
    heap: bool = False
    tss: bool = False
    result: int | None = None
    halfway: bool = False


class Driver:
    """Turns actions into calls of the tree's own functions."""

    def __init__(self, kernel: EmulatedKernel) -> None:
        """Drive an emulated kernel."""
        self.kernel = kernel

    def execute(self, state: State, action: Action) -> list[Outcome]:
        """Return what an action leads to, one outcome for each result of its allocations."""
        outcomes = []
        plans: list[tuple[int, ...]] = [()]
        while plans:
            plan = plans.pop()
            outcome, options = self.execute_once(state, action, plan)
            outcomes.append(outcome)
            for number in range(len(plan), len(options)):
                begun = outcome.choices[:number]
                plans += [(*begun, other) for other in options[number][1:]]
        return outcomes

    def execute_once(
        self, state: State, action: Action, plan: tuple[int, ...]
    ) -> tuple[Outcome, list[list[int]]]:
        """Execute an action with planned results of allocations."""
        executor = self.kernel.executor
        self.kernel.memory.load(state)
        transition = Transition(self.kernel, state, action)
        transition.prepare(plan)
        successor = SuccessorReader(transition)
        executor.before_stop = successor.capture
        ending = entry.run(transition)
        options = executor.accesses.heap.options
        choices = tuple(plan[n] if n < len(plan) else options[n][0] for n in range(len(options)))
        after = None if ending.crash else successor.after(ending)
        self._forget(transition)
        result = ending.result if ending.registers is None and not ending.crash else None
        halfway = ending.registers is not None and bool(ending.registers[READ_SIZE])
        touched = ending.foreign, ending.heap, ending.tss
        outcome = Outcome(choices, after, ending.crash, *touched, result, halfway)
        return outcome, options

    def _forget(self, transition: Transition) -> None:
        """Note what the execution may have changed in memory."""
        memory = self.kernel.memory
        cpus: Iterable[int] = [transition.cpu]
        tasks: Iterable[int] = transition.slots
        if self.kernel.executor.accesses.foreign:
            # The instruction before which it stopped may have stored, after the state was read.
            cpus, tasks = range(len(transition.state.cpus)), range(len(transition.state.tasks))
        for cpu in cpus:
            memory.forget(name(CPU, cpu))
        for slot in tasks:
            memory.forget(name(TASK, slot))
        for slot in range(len(transition.state.heap)):
            memory.forget(name(HEAP, slot))
        memory.forget_data()
