"""The state after a transition: what memory holds then, and what the specification keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.kernel.execution.completion import Completion, Tasks
from iopermit.kernel.execution.entry import set_preempt_count
from iopermit.kernel.state.contents import TASK, name
from iopermit.kernel.state.state import IDLE_NAME, CpuMeta, State, TaskMode

if TYPE_CHECKING:
    from iopermit.kernel.cpu.registers import Registers
    from iopermit.kernel.execution.executor import TransitionEnd
    from iopermit.kernel.execution.transition import Transition
    from iopermit.kernel.state.contents import Component


class SuccessorReader:
    """Reads the state after one transition."""

    def __init__(self, transition: Transition) -> None:
        """Read what `transition` leads to."""
        self._transition, self._kernel = transition, transition.kernel
        self._memory = transition.kernel.memory
        self._captured: State | None = None

    def capture(self, ending: TransitionEnd) -> None:
        """Read the state at a stop, before the instruction at hand has any effect."""
        self._captured = self._compose(ending)

    def after(self, ending: TransitionEnd) -> State:
        """Return the state after the transition."""
        return self._captured if self._captured is not None else self._compose(ending)

    def _compose(self, ending: TransitionEnd) -> State:
        transition, state = self._transition, self._transition.state
        tasks = list(state.tasks)
        names: tuple[int, ...] = transition.names[:1]
        registers = ending.registers
        if transition.switching:
            names = self._after_switch(tasks, registers)
        elif transition.slot is not None:
            Completion(transition, tasks).store(ending)
        stopped = registers if transition.switching else None
        meta = self._cpu_meta(switching=stopped is not None)
        cpu = self._memory.cpu_component(transition.cpu, meta, names, stopped or ())
        cpus = self._others(cpu, tasks, ending)
        used = self._kernel.executor.accesses.heap.used
        heap = tuple(
            self._memory.heap_component(slot, used[slot]) if slot in used else None
            for slot in range(len(state.heap))
        )
        after = State(cpus, tuple(tasks), heap, self._memory.data_component())
        self._observe(after)
        return after

    def _others(self, own: Component, tasks: Tasks, ending: TransitionEnd) -> tuple[Component, ...]:
        """Return the CPUs, `own` among them; follow stores to others, and to others' tasks."""
        transition, state = self._transition, self._transition.state
        cpus = tuple(
            own if cpu == transition.cpu else self._memory.cpu_again(cpu, component)
            for cpu, component in enumerate(state.cpus)
        )
        stored = any(
            new is not old
            for cpu, (new, old) in enumerate(zip(cpus, state.cpus, strict=True))
            if cpu != transition.cpu
        )
        for slot, task in enumerate(state.tasks):
            if task is not None and slot not in transition.slots:
                tasks[slot] = self._memory.task_again(slot, task)
                stored = stored or tasks[slot] is not task
        if stored:
            ending.foreign = self._kernel.executor.accesses.foreign = True
        return cpus

    def _observe(self, after: State) -> None:
        """Note writes that the hooks do not see: into maps, of shared objects and in the TSS."""
        transition, state, contents = (
            self._transition,
            self._transition.state,
            self._kernel.contents,
        )
        accesses = self._kernel.executor.accesses
        for slot in accesses.heap.shared:
            before, now = state.heap[slot], after.heap[slot]
            if before is not None and now is not None and before[0] != now[0]:
                old, new = contents[before[0]].data, contents[now[0]].data
                accesses.seen.shared.update(
                    o for o in range(0, len(new), 8) if old[o : o + 8] != new[o : o + 8]
                )
        if transition.switching or not transition.function.interrupts:
            return
        before_cpu, now_cpu = state.cpus[transition.cpu][0], after.cpus[transition.cpu][0]
        if before_cpu != now_cpu:
            layout, link = self._kernel.layout, self._kernel.emulator.image.per_cpu_link
            start, end = layout.tss_bitmap - link, layout.tss_end - link
            old, new = contents[before_cpu].data[start:end], contents[now_cpu].data[start:end]
            accesses.seen.tss_bitmap = accesses.seen.tss_bitmap or old != new

    def _cpu_meta(self, *, switching: bool) -> CpuMeta:
        selector, base, limit, attributes = self._kernel.emulator.task_register()
        relative = base - self._memory.gs_base(self._transition.cpu)
        return CpuMeta(switching, limit, (selector, relative, attributes))

    # Context switches.

    def _after_switch(self, tasks: Tasks, registers: Registers | None) -> tuple[int, ...]:
        slots = (self._transition.slot, self._transition.following)
        ids = [IDLE_NAME if s is None else name(TASK, s) for s in slots]
        for slot in slots:
            if slot is not None:
                tasks[slot] = self._switched(slot, done=registers is None)
        if registers is not None:
            return tuple(ids)
        set_preempt_count(self._kernel, self._transition.cpu, 0)
        return (ids[1],)

    def _switched(self, slot: int, *, done: bool) -> Component | None:
        before = self._transition.task(slot)
        meta = self._kernel.task_meta(before)
        if meta.mode is TaskMode.DEAD and slot == self._transition.slot and done:
            return None
        if meta.mode is TaskMode.USER:
            meta = meta._replace(mode=TaskMode.RETURN)
        names = before[1][: self._kernel.contents[before[0]].leading]
        registers: Registers = ()
        if meta.mode is TaskMode.KERNEL:
            registers = self._memory.registers(before, name(TASK, slot))
        return self._memory.task_component(slot, meta, names, registers)
