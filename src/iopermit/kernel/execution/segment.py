"""One run of kernel code: from an action to the next point, or to the end of the function."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.kernel.execution.classifying import Heap, Who
from iopermit.kernel.execution.contexts import COUNT_MASK, Ending
from iopermit.kernel.execution.guarding import GUARDED
from iopermit.kernel.state.contents import CPU, HEAP, NAMES, TASK, Component, kind_of, name
from iopermit.kernel.state.state import IDLE_NAME, CpuMeta, Operation, State, TaskMeta, slot_of

if TYPE_CHECKING:
    from iopermit.kernel.execution.driver import Driver
    from iopermit.kernel.execution.emulator import Registers
    from iopermit.system.execution import Action

VM_EXIT_LIMIT: Final = 0x67
"""What a VM exit leaves as limit of TR (SDM vol. 3, "Loading Host Segment and Descriptor-Table
Registers")."""
_USER_FLAGS: Final = 0x202


class Segment:
    """One run: from an action to the next point, or to the end of the kernel function."""

    def __init__(self, driver: Driver, state: State, action: Action, plan: tuple[int, ...]) -> None:
        self.driver, self.state, self.action = driver, state, action
        self.memory, self.contexts = driver.memory, driver.contexts
        self.cpu = action.cpu
        self.meta = driver.cpu_meta(state, self.cpu)
        self.names = state.cpus[self.cpu][1]
        self.slot = driver.current(state, self.cpu)
        self.operation: Operation | None = None
        self.child: int | None = None
        self.following: int | None = None
        self.switching = self.meta.switching or action.event == "switch"
        if self.switching:
            self._find_following()
        elif self.slot is not None:
            self._find_operation()
        self.slots = [s for s in (self.slot, self.following, self.child) if s is not None]
        self.captured: State | None = None
        self._prepare(plan)

    def _find_following(self) -> None:
        if self.meta.switching:
            self.following = slot_of(self.names[1])
        else:
            following = self.action["following"]
            self.following = following if following < self.memory.tasks else None

    def _find_operation(self) -> None:
        task = self._task(self.slot)
        meta = self.driver.task_meta(task)
        if self.action.event == "step":
            self.operation = meta.operation
            if self.operation is not None and "child" in dict(self.operation.arguments):
                self.child = slot_of(task[1][0])
        else:
            self.operation = Operation(self.action.event, self._kept_arguments())
            if "child" in dict(self.action.arguments):
                self.child = self.action["child"]

    def _kept_arguments(self) -> tuple[tuple[str, int], ...]:
        """Return the arguments without slots, which are names and no part of a content."""
        return tuple((k, 0 if k == "child" else v) for k, v in self.action.arguments)

    def _task(self, slot: int | None) -> Component:
        task = self.state.tasks[slot] if slot is not None else None
        assert task is not None  # noqa: S101 - it is a task of the switch
        return task

    def _prepare(self, plan: tuple[int, ...]) -> None:
        state, contents = self.state, self.driver.contents
        privileged = True
        if self.slot is not None:
            privileged = self.driver.task_meta(self._task(self.slot)).privileged
        involved = frozenset(s for s in self.slots if s != self.slot or self.switching)
        own = -1 if self.switching or self.slot is None else self.slot
        self.contexts.accesses.who = Who(self.cpu, own, involved, privileged)
        used, dangling = {}, set()
        for slot, content in enumerate(state.heap):
            if content is not None:
                size = contents[content[0]].meta
                assert isinstance(size, int)  # noqa: S101 - what heap objects have
                used[slot] = size
        for component in state.components():
            dangling |= {n % NAMES for n in component[1] if kind_of(n) == HEAP}
        shared = self._shared()
        self.contexts.accesses.heap = Heap(used, frozenset(dangling - used.keys()), shared, plan)
        self.contexts.before_stop = self.capture
        guarded = self._event in GUARDED
        self.contexts.guard = self.driver.guard.of(self.contexts.accesses.who) if guarded else None

    @property
    def _event(self) -> str:
        """What the segment is about."""
        if self.switching:
            return "switch"
        if self.operation is not None:
            return self.operation.event
        return "return" if self.action.event == "step" else self.action.event

    def _shared(self) -> frozenset[int]:
        """Return the heap slots that others than the running context refer to."""
        mine = self._task(self.slot) if self.slot is not None and not self.switching else None
        others = (c for c in self.state.components() if c is not mine)
        return frozenset(n % NAMES for c in others for n in c[1] if kind_of(n) == HEAP)

    # Running.

    def run(self) -> Ending:
        """Execute it."""
        meta = self.meta
        if self.action.event == "vm-exit":
            meta = self.meta = meta._replace(limit=VM_EXIT_LIMIT)
        self.driver.enter_cpu(self.cpu, meta)
        if self.switching:
            return self._run_switch()
        if self.action.event == "step":
            return self._run_step()
        return self._run_event()

    def _run_switch(self) -> Ending:
        memory = self.memory
        idle = memory.idle(self.cpu)
        if self.meta.switching:
            registers = memory.registers(self.state.cpus[self.cpu], name(CPU, self.cpu))
            return self.contexts.resume(registers)
        self._set_preempt_count(1)
        arguments = [memory.task(idle if s is None else s) for s in (self.slot, self.following)]
        return self._call("iopermit_switch_to", arguments, idle, interrupts=False)

    def _run_step(self) -> Ending:
        task = self._task(self.slot)
        assert self.slot is not None  # noqa: S101 - events are for tasks
        if self.driver.task_meta(task).mode == "return":
            self.operation = Operation("return")
            regs = self.memory.registers_of(self.slot)
            return self._call("iopermit_exit_to_user", [regs], self.slot, interrupts=False)
        return self.contexts.resume(self.memory.registers(task, name(TASK, self.slot)))

    def _run_event(self) -> Ending:  # noqa: PLR0911 - one for each event
        action, slot = self.action, self.slot
        assert slot is not None  # noqa: S101 - forks have a parent
        match action.event:
            case "ioperm":
                ports = self.driver.ports[action["first"], action["end"]]
                return self._system_call("ioperm", (ports.first, ports.count, action["turn_on"]))
            case "iopl":
                return self._system_call("iopl", (action["level"],))
            case "fork" | "fork-fails" | "io-thread" | "io-thread-fails" as event:
                return self._fork(2 if event.startswith("io-thread") else 0)
            case "exit":
                return self._call("iopermit_exit", [], slot, interrupts=True)
            case "exec":
                return self._call("flush_thread", [], slot, interrupts=True)
            case "vm-exit":
                return self._call("iopermit_vm_exit", [], slot, interrupts=False)
            case _:
                return Ending()

    def _system_call(self, called: str, arguments: tuple[int, ...]) -> Ending:
        assert self.slot is not None  # noqa: S101 - events are for tasks
        regs = self.memory.registers_of(self.slot)
        for field, value in zip(("di", "si", "dx"), arguments, strict=False):
            place = regs + self.driver.layout[f"offsetof_pt_regs_{field}"]
            self.driver.emulator.write(place, (value & (1 << 64) - 1).to_bytes(8, "little"))
        return self._call(f"__x64_sys_{called}", [regs], self.slot, interrupts=True)

    def _fork(self, kind: int) -> Ending:
        child, memory = self.child, self.memory
        assert child is not None  # noqa: S101 - forks have a child
        assert self.slot is not None  # noqa: S101 - events are for tasks
        # What the slot's last task left is never looked at.
        memory.emulator.write(memory.task(child), bytes(self.driver.layout.task_size))
        memory.emulator.write(memory.stack(child), bytes(self.driver.layout.stack_size))
        arguments = [memory.task(child), memory.stack(child), 0, kind]
        return self._call("iopermit_fork", arguments, self.slot, interrupts=True)

    def _call(self, function: str, arguments: list[int], slot: int, *, interrupts: bool) -> Ending:
        address = self.driver.function(function)
        stack = self.memory.registers_of(slot)
        return self.contexts.call(address, arguments, stack, interrupts=interrupts)

    def _set_preempt_count(self, count: int) -> None:
        address = self.memory.gs_base(self.cpu) + self.driver.layout.preempt_count
        value = count | (COUNT_MASK + 1)
        self.driver.emulator.write(address, value.to_bytes(4, "little"))

    # The state afterwards.

    def capture(self) -> None:
        """Read the state at a stop, before the instruction at hand has any effect."""
        ending = self.contexts._ending  # noqa: SLF001 - the two work together
        self.captured = self._compose(ending)

    def state_after(self, ending: Ending) -> State:
        """Return the state after the segment."""
        return self.captured if self.captured is not None else self._compose(ending)

    def _compose(self, ending: Ending) -> State:
        state = self.state
        tasks = list(state.tasks)
        names: tuple[int, ...] = self.names[:1]
        registers = ending.registers
        if self.switching:
            names = self._after_switch(tasks, registers)
        elif self.slot is not None:
            self._after_step(tasks, ending)
        meta = self._cpu_meta(switching=self.switching and registers is not None)
        cpu = self.memory.cpu_component(
            self.cpu, meta, names, registers if self.switching and registers else ()
        )
        cpus = (*state.cpus[: self.cpu], cpu, *state.cpus[self.cpu + 1 :])
        used = self.contexts.accesses.heap.used
        heap = tuple(
            self.memory.heap_component(slot, used[slot]) if slot in used else None
            for slot in range(len(state.heap))
        )
        after = State(cpus, tuple(tasks), heap, self.memory.data_component())
        self._observe(after)
        return after

    def _observe(self, after: State) -> None:
        """Note writes that the hooks do not see: into maps, of shared objects and in the TSS."""
        seen, contents = self.contexts.accesses.seen, self.driver.contents
        for slot in self.contexts.accesses.heap.shared:
            before, now = self.state.heap[slot], after.heap[slot]
            if before is not None and now is not None and before[0] != now[0]:
                old, new = contents[before[0]].data, contents[now[0]].data
                seen.shared.update(
                    o for o in range(0, len(new), 8) if old[o : o + 8] != new[o : o + 8]
                )
        if self.switching or self._event in {"return", "vm-exit"}:
            return
        before_cpu, now_cpu = self.state.cpus[self.cpu][0], after.cpus[self.cpu][0]
        if before_cpu != now_cpu:
            link = self.driver.emulator.image.per_cpu_link
            start, end = self.driver.layout.tss_bitmap - link, self.driver.layout.tss_end - link
            old, new = contents[before_cpu].data[start:end], contents[now_cpu].data[start:end]
            seen.tss_bitmap = seen.tss_bitmap or old != new

    def _cpu_meta(self, *, switching: bool) -> CpuMeta:
        selector, base, limit, attributes = self.driver.emulator.task_register()
        relative = base - self.memory.gs_base(self.cpu)
        return CpuMeta(switching, limit, (selector, relative, attributes))

    def _after_switch(
        self, tasks: list[Component | None], registers: Registers | None
    ) -> tuple[int, ...]:
        ids = [IDLE_NAME if s is None else name(TASK, s) for s in (self.slot, self.following)]
        for slot in (self.slot, self.following):
            if slot is not None:
                tasks[slot] = self._switched(slot, done=registers is None)
        if registers is not None:
            return tuple(ids)
        self._set_preempt_count(0)
        return (ids[1],)

    def _switched(self, slot: int, *, done: bool) -> Component | None:
        before = self._task(slot)
        meta = self.driver.task_meta(before)
        if meta.mode == "dead" and slot == self.slot and done:
            return None
        if meta.mode == "user":
            meta = meta._replace(mode="return")
        names = before[1][: self.driver.contents[before[0]].leading]
        registers: Registers = ()
        if meta.mode == "kernel":
            registers = self.memory.registers(before, name(TASK, slot))
        return self.memory.task_component(slot, meta, names, registers)

    def _after_step(self, tasks: list[Component | None], ending: Ending) -> None:
        slot, operation = self.slot, self.operation
        assert slot is not None  # noqa: S101 - forks have a parent
        meta = self.driver.task_meta(self._task(slot))
        child = () if self.child is None else (name(TASK, self.child),)
        if ending.registers is not None:
            meta = meta._replace(mode="kernel", operation=operation, preemptible=ending.preemptible)
            tasks[slot] = self.memory.task_component(slot, meta, child, ending.registers)
            if self.child is not None:
                embryo = TaskMeta("embryo", home=meta.home)
                tasks[self.child] = self.memory.task_component(self.child, embryo)
            return
        self._complete(tasks, meta, ending)

    def _complete(self, tasks: list[Component | None], meta: TaskMeta, ending: Ending) -> None:
        """Let the task's call return, and note what it granted."""
        slot, operation = self.slot, self.operation
        assert slot is not None  # noqa: S101 - forks have a parent
        event = operation.event if operation is not None else ""
        after = meta._replace(
            mode="thread" if meta.kernel_thread else "return", operation=None, preemptible=True
        )
        if event == "return":
            after = after._replace(mode="user")
        elif event in {"ioperm", "iopl"} and operation is not None and ending.result == 0:
            after = after._replace(grants=self._granted(meta.grants, operation))
        elif event == "exit":
            after = after._replace(mode="dead", grants=0)
        elif event == "drop-privilege":
            after = after._replace(privileged=False)
        elif self.child is not None and operation is not None:
            self._after_fork(tasks, meta, operation, ending)
            if tasks[slot] is not self.state.tasks[slot]:
                return
        tasks[slot] = self.memory.task_component(slot, after)

    def _granted(self, before: int, operation: Operation) -> int:
        if operation.event == "iopl":
            return self.driver.grants.set_level(before, operation.argument("level"))
        ports = self.driver.ports[operation.argument("first"), operation.argument("end")]
        return self.driver.grants.change(before, ports, bool(operation.argument("turn_on")))

    def _after_fork(
        self, tasks: list[Component | None], meta: TaskMeta, operation: Operation, ending: Ending
    ) -> None:
        child, slot = self.child, self.slot
        assert child is not None  # noqa: S101 - forks have a child
        assert slot is not None  # noqa: S101 - forks have a parent
        failed = ending.result != 0 and operation.phase == 0
        if failed or operation.phase == 1:
            tasks[child] = None
            return
        if operation.event.endswith("-fails"):
            self._start_unwinding(tasks, meta, operation)
            return
        worker = operation.event == "io-thread"
        made = TaskMeta(
            "thread" if worker else "return",
            meta.privileged,
            worker,
            0 if worker else meta.grants,
            meta.home,
        )
        tasks[child] = self.memory.task_component(child, made)

    def _start_unwinding(
        self, tasks: list[Component | None], meta: TaskMeta, operation: Operation
    ) -> None:
        """Let the failed fork continue with what undoes it: a segment of its own."""
        child, slot = self.child, self.slot
        assert child is not None  # noqa: S101 - forks have a child
        assert slot is not None  # noqa: S101 - forks have a parent
        registers = self.driver.emulator.prepared(
            self.driver.function("iopermit_fork_failed"),
            [self.memory.task(child)],
            self.memory.registers_of(slot),
            _USER_FLAGS,
        )
        meta = meta._replace(mode="kernel", operation=operation._replace(phase=1), preemptible=True)
        tasks[slot] = self.memory.task_component(slot, meta, (name(TASK, child),), registers)
        embryo = TaskMeta("embryo", home=meta.home)
        tasks[child] = self.memory.task_component(child, embryo)
