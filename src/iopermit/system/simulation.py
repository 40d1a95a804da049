"""A design executed as it stands, on full-size state: the plain Python reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from iopermit.arch.lazy import np
from iopermit.system.concretion import Concretion
from iopermit.system.crash import HeapExhaustedError, KernelCrash, NullDereference, crash_of
from iopermit.system.design import Design
from iopermit.system.events import Event, entries, operation_of
from iopermit.system.execution import (
    Action,
    ExecutionContext,
    Gain,
    Mode,
    Processor,
    ThisCpu,
    Thread,
)
from iopermit.system.heap import Pool, checked, heap_classes, new_record, referenced_records
from iopermit.system.options import with_options
from iopermit.system.position import Stepper, Steps
from iopermit.system.records import MAX_REFCOUNT, HeapObject, Record
from iopermit.system.scenario import Scenario
from iopermit.system.tss_memory import TssMemory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.system.events.arguments import Values
    from iopermit.system.events.operations import Operation


class System:
    """CPUs, tasks and a heap around one design.

    With a stepper, hooks stop before each step, and `iopermit.system.events.rules` says what can
    happen next. Without one, a hook runs as it stands and to its end within a single step.
    """

    def __init__(  # noqa: PLR0913 - one argument for each thing that a caller chooses
        self,
        design_class: type[Design],
        scenario: Scenario,
        concretion: Concretion,
        *,
        stepper: Stepper | None = None,
        options: Mapping[str, bool] | None = None,
        heap_slots: int | None = None,
        started: int | None = None,
        max_refcount: int = MAX_REFCOUNT,
        tss_images: Sequence[NDArray[np.uint8]] | None = None,
    ) -> None:
        """Bring up the CPUs and start the tasks.

        Args:
            design_class: the design.
            scenario: how many CPUs and tasks there are, and which events.
            concretion: what the scenario's longs stand for.
            stepper: executes hooks step by step; None executes them whole.
            options: switches of the design that differ from its class attributes.
            heap_slots: objects of one class that can be alive at once; two per task if None.
            started: how many of the tasks exist from the start; all if None.
            max_refcount: the reference count above which it saturates.
            tss_images: the memory of the TSS of each CPU; own memory if None.

        Raises:
            KernelCrash: bringing up a CPU crashes.
            ValueError: the design has no such option.
        """
        self.scenario, self.concretion = scenario, concretion
        self.geometry = concretion.geometry
        self.design = with_options(design_class, options or {})()
        self.layout = self.design.layout
        self.design.services = self
        self.design.globals = self._record(self.design.Globals)
        self.heap_slots = 2 * scenario.tasks if heap_slots is None else heap_slots
        self.pools = {
            cls.__name__: Pool(cls, self.heap_slots, self.geometry, max_refcount)
            for cls in heap_classes(
                (self.design.Task, self.design.Cpu, self.design.Tss, self.design.Globals)
            )
        }
        self.refused: Thread | None = None
        """The task that was finally refused a granted port."""
        self.gain: Gain | None = None
        """What a task was granted without the privilege for it."""
        self._stepper = stepper
        self._choice: int | None = None
        self._sequence = 0
        self._tss_images = tss_images
        self._start(scenario.tasks if started is None else started)

    # Services of the design.

    def allocate(self, cls: type[HeapObject]) -> HeapObject | None:
        """Return an object from the slot chosen for this step, or NULL if failure was chosen."""
        pool = self.pools[cls.__name__]
        choice = self._choice
        if choice is None:
            choice = next(iter(self.choices(cls.__name__)))
        if choice == self.heap_slots:
            return None
        if pool.used[choice] and not self.scenario.garbage and self._is_lost(pool, choice):
            # Where garbage is no violation, it makes room for others.
            pool.release(pool.objects[choice])
        if pool.used[choice]:
            message = f"more than {self.heap_slots} objects of {cls.__name__} are alive"
            raise HeapExhaustedError(message)
        allocated: HeapObject = pool.take(choice)
        return allocated

    def free(self, heap_object: HeapObject) -> None:
        """Free an object."""
        pools = self.pools.values()
        pool = next((p for p in pools if p.slot_of(heap_object) is not None), None)
        if pool is None:
            raise NullDereference("free of NULL")
        pool.release(heap_object)

    def next_sequence(self) -> int:
        """Return the next number; numbers are never used again."""
        self._sequence += 1
        return self._sequence

    # What the entries need.

    def has_hook(self, name: str) -> bool:
        """Return whether the design has the hook."""
        own = getattr(type(self.design), name, None)
        return callable(own) and own is not getattr(Design, name, None)

    def hook(self, name: str, *arguments: object) -> Steps:
        """Run a hook; a missing one has no steps and returns 0."""
        if not self.has_hook(name):
            return 0
        if self._stepper is None:
            return getattr(self.design, name)(*arguments)
        return (yield from self._stepper(self.design, name, arguments))

    def this_cpu(self, thread: Thread) -> Any:  # noqa: ANN401 - stands for a Cpu record
        """Return the CPU that `thread` is on at each moment, as this_cpu_ptr() does."""
        return ThisCpu(self.processors, thread)

    def task(self, slot: int) -> Thread:
        """Return the task in a slot."""
        return self.threads[slot]

    def start_child(self, parent: Thread, slot: int) -> Thread:
        """Take a task slot for a child of `parent`."""
        child = self.threads[slot]
        self.tasks.take(slot)
        child.mode, child.home, child.cpu = Mode.EMBRYO, parent.home, parent.cpu
        return child

    def release_task(self, thread: Thread) -> None:
        """Give a task slot back."""
        thread.mode, thread.steps, thread.stack, thread.refusals = Mode.FREE, None, (), 0
        thread.grants.clear()
        self.tasks.release(thread.record)

    def stop(self, thread: Thread) -> None:
        """Keep a task that is about to return to user mode from being run."""
        thread.mode, thread.steps, thread.stack = Mode.STOPPED, None, ()

    def move_tasks(self, origin: int, home: int) -> None:
        """Bind the tasks that are bound to one CPU to another one."""
        for thread in self.threads[: self.scenario.tasks]:
            if thread.home == origin and thread.mode is not Mode.FREE:
                thread.home = home

    def report_refusal(self, thread: Thread) -> None:
        """Note that a granted port was finally refused."""
        self.refused = thread

    def refuses(self, thread: Thread) -> bool:
        """Return whether the processor refuses a task some port that it was granted."""
        allowed = self.processors[thread.cpu].allowed_ports(self.design, thread)
        return bool(np.any(thread.grants.allowed & ~allowed))

    def count_refusal(self, thread: Thread) -> None:
        """Count, up to the most that matter, that a granted port is refused."""
        thread.refusals = min(thread.refusals + 1, self.scenario.most_refusals)

    def judge_gain(self, thread: Thread, gained: NDArray[np.bool_]) -> None:
        """Note ports that a task gains by a call though it has no CAP_SYS_RAWIO."""
        if self.gain is None and not thread.record.privileged and np.any(gained):
            self.gain = Gain(thread, gained, thread.grants.allowed.copy())

    def _is_lost(self, pool: Pool, slot: int) -> bool:
        """Return whether no field refers to an object in use.

        A local variable may, which nothing reads any more, of a function that has not yet returned:
        were it still to be read, the search would not have chosen the slot.
        """
        lost = pool.objects[slot]
        return all(t is not lost for record in self.records() for t in referenced_records(record))

    # State.

    def current(self, processor: Processor) -> Thread:
        """Return the task that a CPU executes, or is switching away from."""
        record = processor.record.current
        return next(t for t in self.threads if t.record is record)

    def records(self) -> Iterator[Record]:
        """Yield every record that exists: CPUs, TSSs, globals, tasks, objects in use."""
        for processor in self.processors:
            yield processor.record
            yield processor.tss
        yield self.design.globals
        yield from (t.record for t in self.threads if t.mode is not Mode.FREE)
        for pool in self.pools.values():
            yield from pool.in_use()

    def referenced(self) -> dict[int, object]:
        """Return, by `id()`, what fields and live local variables refer to."""
        held = [target for record in self.records() for target in referenced_records(record)]
        for context in (*self.threads, *self.processors):
            held += [target for frame in context.stack for target in frame.references]
        return {id(target): target for target in held}

    def choices(self, name: str) -> list[int]:
        """Return the outcomes of allocating an object of a heap class.

        Slot numbers in ascending order, then `heap_slots` for failure. With no slot left, slot
        0 stands for the attempt, which raises HeapExhaustedError.
        """
        pool, referenced = self.pools[name], self.referenced()
        slots = pool.candidates(referenced, reclaimed=not self.scenario.garbage) or [0]
        fails = self.scenario.has(Event.ALLOCATION_FAILS)
        return slots + [self.heap_slots] * fails

    def child_slots(self) -> list[int]:
        """Return the task slots that fork may take."""
        return self.tasks.candidates(self.referenced())

    def _start(self, started: int) -> None:
        """Bring up the CPUs and start the tasks: one on each CPU as far as they go."""
        scenario, task = self.scenario, self.design.Task
        self.tasks = Pool(task, scenario.tasks, self.geometry)
        for slot in range(started):
            self.tasks.take(slot)
        records = list(self.tasks.objects)
        records += [self._record(task) for _ in range(scenario.cpus)]
        self.threads = [
            Thread(record, i, mode=Mode.IDLE, home=i % scenario.cpus)
            for i, record in enumerate(records)
        ]
        self.processors: list[Processor] = []
        for number in range(scenario.cpus):
            self.processors.append(self._bring_up(number))
        for thread in self.threads[started : scenario.tasks]:
            thread.mode = Mode.FREE
        for thread in self.threads[:started]:
            thread.cpu = thread.home
            if thread.index < scenario.cpus:
                thread.mode = Mode.USER
                self.processors[thread.index].record.current = thread.record
            else:
                thread.steps = entries.leave(self, thread)
                self.advance(thread)
        self.threads[0].record.privileged = not scenario.unprivileged

    def _bring_up(self, number: int) -> Processor:
        idle = self.threads[self.scenario.tasks + number]
        idle.cpu = number
        image = None if self._tss_images is None else self._tss_images[number]
        memory = TssMemory(self.layout, self.geometry, image)
        cpu, tss = self._record(self.design.Cpu), self._record(self.design.Tss)
        tss.bitmap = memory.bitmap
        cpu.tss, cpu.current = tss, idle.record
        self.design.bring_up(cpu)
        return Processor(record=cpu, index=number, tss=tss, memory=memory)

    def _record(self, cls: type[Record]) -> Any:  # noqa: ANN401 - a record of the design's class
        return new_record(checked(cls, self.geometry.real_longs), self.geometry)

    # Execution.

    def apply(self, action: Action) -> None:
        """Let something happen that is possible now.

        Raises:
            KernelCrash: the kernel crashes; `where` of the exception tells at which step.
            HeapExhaustedError: an object was to be allocated and no slot was left.
            ValueError: there is no such event.
        """
        processor = self.processors[action.cpu]
        thread = self.current(processor)
        if action.is_step:
            self._choice = action.choice
            self.advance(processor if processor.switching else thread)
            self._choice = None
        elif action.is_switch:
            self.start_switch(processor, action["following"])
        else:
            arguments = dict(action.arguments)
            operation, values = operation_of(action.event, arguments, self.concretion.ports_of)
            self._begin(processor, thread, operation, values)

    def _begin(
        self, processor: Processor, thread: Thread, operation: Operation, values: Values
    ) -> None:
        if thread.mode is Mode.IDLE:
            processor.steps = entries.come_up(self, processor, thread, operation, values)
            self.advance(processor)
            return
        if not operation.counts_refusals:
            thread.refusals = 0
        self.enter(thread, entries.perform(self, thread, operation, values))

    def advance(self, context: ExecutionContext) -> None:
        """Execute one step (or none, if the context was just started) up to the next."""
        steps = context.steps
        if steps is None:
            message = "this task or CPU is not executing kernel code"
            raise ValueError(message)
        try:
            stack = next(steps, None)
        except (KernelCrash, AssertionError, AttributeError) as error:
            crash = crash_of(error)
            crash.where = context.positions
            if crash is error:
                raise
            raise crash from error
        context.stack = stack or ()
        if stack is None:
            context.steps = None

    def enter(self, thread: Thread, entry: Steps) -> None:
        """Let a task enter the kernel and go up to its first step there."""
        thread.mode, thread.steps = Mode.KERNEL, entry
        self.advance(thread)

    def start_switch(self, processor: Processor, following: int) -> None:
        """Start to switch a CPU to another task; any number beyond the tasks: its idle task."""
        previous = self.current(processor)
        previous.refusals = 0
        if previous.mode is Mode.USER:
            self.enter(previous, entries.leave(self, previous))
        own_idle = self.scenario.tasks + processor.index
        chosen = following if following < self.scenario.tasks else own_idle
        processor.previous, processor.following = previous, self.threads[chosen]
        processor.steps = entries.switch(self, processor, previous, processor.following)
        self.advance(processor)
