"""Executes one action on a state: an event, the next segment of a context, or a context switch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit.kernel.execution.guarding import Guard
from iopermit.kernel.execution.segment import Segment
from iopermit.kernel.state.contents import CPU, HEAP, TASK, Component, name
from iopermit.kernel.state.grants import GrantTable
from iopermit.kernel.state.state import CpuMeta, State, TaskMeta, slot_of

if TYPE_CHECKING:
    from iopermit.kernel.execution.contexts import Contexts
    from iopermit.kernel.execution.crashes import Crash
    from iopermit.system.bitmap import PortRange
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
        result: what the kernel function returned, if it did return.
    """

    choices: tuple[int, ...]
    state: State | None
    crash: Crash | None = None
    foreign: bool = False
    heap: bool = False
    result: int | None = None


class Driver:
    """Turns events into calls of the tree's own functions."""

    def __init__(self, contexts: Contexts, ports: dict[tuple[int, int], PortRange]) -> None:
        """Drive what `contexts` executes.

        Args:
            contexts: the emulated CPU.
            ports: the real ports of ioperm's ranges of scenario longs.
        """
        self.contexts, self.memory, self.ports = contexts, contexts.memory, ports
        self.emulator, self.layout = contexts.emulator, contexts.layout
        self.contents, self.grants = self.memory.contents, GrantTable()
        image = self.emulator.image
        self._function = image.address
        self._gdt = image.address("gdt_page")
        self._gdt_limit = 8 * self.layout["GDT_ENTRIES"] - 1
        self.guard = Guard(self.memory)

    # Reading states.

    def cpu_meta(self, state: State, cpu: int) -> CpuMeta:
        """Return what the driver knows of a CPU."""
        meta = self.contents[state.cpus[cpu][0]].meta
        assert isinstance(meta, CpuMeta)  # noqa: S101 - what the CPU's components have
        return meta

    def task_meta(self, task: Component) -> TaskMeta:
        """Return what the driver knows of a task."""
        meta = self.contents[task[0]].meta
        assert isinstance(meta, TaskMeta)  # noqa: S101 - what the tasks' components have
        return meta

    def current(self, state: State, cpu: int) -> int | None:
        """Return the slot of a CPU's current task; None: its idle task."""
        return slot_of(state.cpus[cpu][1][0])

    # Executing.

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
        self.memory.load(state)
        segment = Segment(self, state, action, plan)
        ending = segment.run()
        heap = self.contexts.accesses.heap
        options = heap.options
        choices = tuple(plan[n] if n < len(plan) else options[n][0] for n in range(len(options)))
        after = None if ending.crash else segment.state_after(ending)
        self._forget(state, segment)
        result = ending.result if ending.registers is None and not ending.crash else None
        return Outcome(choices, after, ending.crash, ending.foreign, ending.heap, result), options

    def _forget(self, state: State, segment: Segment) -> None:
        memory = self.memory
        memory.forget(name(CPU, segment.cpu))
        for slot in segment.slots:
            memory.forget(name(TASK, slot))
        for slot in range(len(state.heap)):
            memory.forget(name(HEAP, slot))
        memory.forget_data()

    def enter_cpu(self, cpu: int, meta: CpuMeta) -> None:
        """Let the emulated CPU be one of the kernel's."""
        base = self.memory.gs_base(cpu)
        selector, tss, attributes = meta.tr
        gdt = base + self._gdt, self._gdt_limit
        self.emulator.enter_cpu(base, gdt, (selector, base + tss, meta.limit, attributes))

    @staticmethod
    def slot_of(named: int) -> int | None:
        """Return the task slot that a name stands for; None for the idle task."""
        return slot_of(named)

    def function(self, wanted: str) -> int:
        """Return the address of a function of the tree or the shim."""
        return self._function(wanted)
