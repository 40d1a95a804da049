"""The state after a transition: what memory holds then, and what the specification keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.kernel.cpu.registers import USER_FLAGS
from iopermit.kernel.execution.entry import set_preempt_count
from iopermit.kernel.state.contents import TASK, name
from iopermit.kernel.state.state import IDLE_NAME, CpuMeta, Operation, State, TaskMeta, TaskMode

if TYPE_CHECKING:
    from iopermit.kernel.cpu.registers import Registers
    from iopermit.kernel.execution.executor import Ending
    from iopermit.kernel.execution.transition import Transition
    from iopermit.kernel.state.contents import Component

Tasks = list["Component | None"]


class SuccessorReader:
    """Reads the state after one transition."""

    def __init__(self, transition: Transition) -> None:
        """Read what `transition` leads to."""
        self._transition, self._kernel = transition, transition.kernel
        self._memory = transition.kernel.memory
        self._captured: State | None = None

    def capture(self, ending: Ending) -> None:
        """Read the state at a stop, before the instruction at hand has any effect."""
        self._captured = self._compose(ending)

    def after(self, ending: Ending) -> State:
        """Return the state after the transition."""
        return self._captured if self._captured is not None else self._compose(ending)

    def _compose(self, ending: Ending) -> State:
        transition, state = self._transition, self._transition.state
        tasks = list(state.tasks)
        names: tuple[int, ...] = transition.names[:1]
        registers = ending.registers
        if transition.switching:
            names = self._after_switch(tasks, registers)
        elif transition.slot is not None:
            self._after_step(tasks, transition.slot, ending)
        stopped = registers if transition.switching else None
        meta = self._cpu_meta(switching=stopped is not None)
        cpu = self._memory.cpu_component(transition.cpu, meta, names, stopped or ())
        cpus = (*state.cpus[: transition.cpu], cpu, *state.cpus[transition.cpu + 1 :])
        used = self._kernel.executor.accesses.heap.used
        heap = tuple(
            self._memory.heap_component(slot, used[slot]) if slot in used else None
            for slot in range(len(state.heap))
        )
        after = State(cpus, tuple(tasks), heap, self._memory.data_component())
        self._observe(after)
        return after

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
        if transition.switching or transition.event in {"return", "vm-exit"}:
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

    # A task's own code.

    def _after_step(self, tasks: Tasks, slot: int, ending: Ending) -> None:
        child, operation = self._transition.child, self._transition.operation
        meta = self._kernel.task_meta(self._transition.task(slot))
        if ending.registers is None:
            self._complete(tasks, slot, meta, ending)
            return
        names = () if child is None else (name(TASK, child),)
        meta = meta._replace(
            mode=TaskMode.KERNEL, operation=operation, preemptible=ending.preemptible
        )
        tasks[slot] = self._memory.task_component(slot, meta, names, ending.registers)
        if child is not None:
            tasks[child] = self._embryo(child, meta)

    def _complete(self, tasks: Tasks, slot: int, meta: TaskMeta, ending: Ending) -> None:
        """Let the task's call return, and note what it granted."""
        operation = self._transition.operation
        event = operation.event if operation is not None else ""
        mode = TaskMode.THREAD if meta.kernel_thread else TaskMode.RETURN
        after = meta._replace(mode=mode, operation=None, preemptible=True)
        if event == "return":
            after = after._replace(mode=TaskMode.USER)
        elif event in {"ioperm", "iopl"} and operation is not None and ending.result == 0:
            after = after._replace(grants=self._granted(meta.grants, operation))
        elif event == "exit":
            after = after._replace(mode=TaskMode.DEAD, grants=0)
        elif event == "drop-privilege":
            after = after._replace(privileged=False)
        elif (
            self._transition.child is not None
            and operation is not None
            and self._after_fork(tasks, slot, self._transition.child, operation, ending)
        ):
            return
        tasks[slot] = self._memory.task_component(slot, after)

    def _granted(self, before: int, operation: Operation) -> int:
        if operation.event == "iopl":
            return self._kernel.grants.set_level(before, operation.argument("level"))
        ports = self._kernel.ports[operation.argument("first"), operation.argument("end")]
        return self._kernel.grants.change(before, ports, bool(operation.argument("turn_on")))

    def _after_fork(
        self, tasks: Tasks, slot: int, child: int, operation: Operation, ending: Ending
    ) -> bool:
        """Finish a fork; return whether the parent goes on in the kernel: it failed late."""
        meta = self._kernel.task_meta(self._transition.task(slot))
        failed = ending.result != 0 and operation.phase == 0
        if failed or operation.phase == 1:
            tasks[child] = None
            return False
        if operation.event.endswith("-fails"):
            self._start_unwinding(tasks, slot, child, meta._replace(operation=operation))
            return True
        worker = operation.event == "io-thread"
        made = TaskMeta(
            TaskMode.THREAD if worker else TaskMode.RETURN,
            meta.privileged,
            worker,
            0 if worker else meta.grants,
            meta.home,
        )
        tasks[child] = self._memory.task_component(child, made)
        return False

    def _start_unwinding(self, tasks: Tasks, slot: int, child: int, meta: TaskMeta) -> None:
        """Let the failed fork continue with what undoes it: a transition of its own."""
        registers = self._kernel.emulator.prepared(
            self._kernel.function("iopermit_fork_failed"),
            [self._memory.task(child)],
            self._memory.registers_of(slot),
            USER_FLAGS,
        )
        assert meta.operation is not None  # it is the fork
        operation = meta.operation._replace(phase=1)
        meta = meta._replace(mode=TaskMode.KERNEL, operation=operation, preemptible=True)
        names = (name(TASK, child),)
        tasks[slot] = self._memory.task_component(slot, meta, names, registers)
        tasks[child] = self._embryo(child, meta)

    def _embryo(self, child: int, parent: TaskMeta) -> Component:
        meta = TaskMeta(TaskMode.EMBRYO, home=parent.home)
        return self._memory.task_component(child, meta)
