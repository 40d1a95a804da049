"""Decides which task runs where and for how long, and reacts to what ends its turn."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING, Final

from iopermit.machine.clock import INSTRUCTION, KERNEL_ENTRY
from iopermit.machine.cpu.interface import CpuFault, PortIn, PortOut, Preempted, Syscall
from iopermit.machine.errors import MachineError
from iopermit.machine.tasks import signals
from iopermit.machine.tasks.process import SignalInfo, TaskState, post
from iopermit.machine.tasks.traps import handle_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from iopermit.machine.cpu.interface import CpuEvent
    from iopermit.machine.tasks.machine import Machine
    from iopermit.machine.tasks.process import UserTask

SLICE: Final = (100_000, 1_000_000)
"""A turn lasts so many instructions, at random."""
_YIELD_ODDS: Final = 8
"""One in so many kernel entries ends a turn early."""
_HOST_POLL: Final = 0.01
"""Seconds between looks at standard input when every task waits for it."""
_UNCOUNTED_TURN: Final = 10_000_000
"""Nanoseconds that pass when a task is preempted whose instructions are not counted."""
_SIGALRM: Final = 14


class TimeoutExpiredError(Exception):
    """The program did not end in time."""


class Scheduler:
    """Runs all tasks on all virtual CPUs until the first process ends.

    The virtual CPUs take turns. Which one is next, which task it runs and for how many
    instructions comes from a generator with the seed, so that a run can be repeated.
    """

    def __init__(self, machine: Machine, serve: Callable[[UserTask, int], None]) -> None:
        """Schedule the tasks of `machine`.

        Args:
            machine: with its first task.
            serve: serves the system call that a task waits for, of the given ABI (64 or 32).
        """
        self.machine, self._serve = machine, serve
        options = machine.options
        self._random = random.Random(f"schedule {options.seed}")
        self._current: list[UserTask | None] = [None] * options.cpus
        self._left = [0] * options.cpus
        self.expired = False
        """Set by the watchdog: the time is over."""
        self.interrupted = False
        """Set by the watchdog: Ctrl-C. An exception in a callback of Unicorn would be lost."""
        self.switches = 0

    def run(self) -> int:
        """Run; return the exit status of the first process as wait4(2) has it.

        Raises:
            TimeoutExpiredError: `expired` was set.
            MachineError: every task waits for something that cannot happen.
            KernelCrash: the design crashed.
        """
        machine = self.machine
        init = machine.init
        if init is None:
            raise MachineError("no program was loaded")
        self._current[0] = next(iter(machine.tasks.values()))
        self._left[0] = self._random.randint(*SLICE)
        while init.exit_status is None:
            if self.interrupted:
                raise KeyboardInterrupt
            if self.expired:
                raise TimeoutExpiredError
            self._wake()
            ready = self._busy_cpus()
            if not ready:
                self._wait()
                continue
            cpu = ready[0] if len(ready) == 1 else self._random.choice(ready)
            self._turn(cpu)
        return init.exit_status

    # Who runs.

    def _busy_cpus(self) -> list[int]:
        """Return the CPUs that have something to do."""
        candidates = [
            task
            for task in self.machine.tasks.values()
            if task.state is TaskState.RUNNABLE and task not in self._current
        ]
        result = []
        for cpu, current in enumerate(self._current):
            busy = current is not None and current.state in (TaskState.RUNNABLE, TaskState.DEAD)
            if busy or any(cpu in task.affinity for task in candidates):
                result.append(cpu)
        return result

    def _turn(self, cpu: int) -> None:
        current = self._current[cpu]
        if (
            current is None
            or current.state is not TaskState.RUNNABLE
            or self._left[cpu] <= 0
            or (cpu not in current.affinity)
        ):
            self._switch(cpu)
            current = self._current[cpu]
        if current is not None:
            self._run(cpu, current)

    def _switch(self, cpu: int) -> None:
        """Choose the next task of a CPU and switch to it."""
        current = self._current[cpu]
        waiting = [
            task
            for task in self.machine.tasks.values()
            if task.state is TaskState.RUNNABLE and cpu in task.affinity
            and (task is current or task not in self._current)
        ]  # fmt: skip
        chosen = None
        if waiting:
            chosen = waiting[0] if len(waiting) == 1 else self._random.choice(waiting)
        self._left[cpu] = self._random.randint(*SLICE)
        if chosen is current and current is not None:
            return
        self.machine.runner.switch(cpu, None if chosen is None else chosen.slot)
        self.switches += 1
        self._current[cpu] = chosen
        if chosen is not None:
            chosen.last_cpu = cpu

    def _alone(self, task: UserTask) -> bool:
        return (
            all(
                other is task or other.state is not TaskState.RUNNABLE
                for other in self.machine.tasks.values()
            )
            and not self._has_timers()
        )

    def _has_timers(self) -> bool:
        return any(task.wait is not None and task.wait.deadline is not None
                   for task in self.machine.tasks.values()) or any(
            process.alarm is not None for process in self.machine.processes.values()
        )  # fmt: skip

    # What it does.

    def _run(self, cpu: int, task: UserTask) -> None:
        """Let the current task of a CPU run until something happens."""
        machine = self.machine
        signals.deliver(machine, task)
        if task.state is not TaskState.RUNNABLE:
            return
        if task.call is not None:
            self._serve(task, task.call.abi)
            return
        machine.runner.return_to_user(task.slot)
        self._load_task_register(cpu)
        budget = None if self._alone(task) else max(self._left[cpu], 1)
        event = machine.backend.run(cpu, task.context, task.process.space.tables.root, budget)
        executed = machine.backend.executed()
        if executed is not None:
            self._left[cpu] -= executed
            machine.clock.advance(executed * INSTRUCTION)
        self._handle(cpu, task, event)
        if machine.resched or not self._random.randrange(_YIELD_ODDS):
            self._left[cpu] = 0
            machine.resched = False

    def _load_task_register(self, cpu: int) -> None:
        """Let the processor have the TSS that the design, or its hypervisor, gives it."""
        machine = self.machine
        processor = machine.system.processors[cpu]
        view = processor.tss_view(machine.system.design)
        if view.image is not processor.memory.image:
            processor.memory.image[:] = view.image
        machine.backend.set_task_register(cpu, view.limit)
        record = processor.record
        level = machine.system.design.iopl_in_force(record, record.current)
        machine.backend.set_iopl(cpu, level)

    def _handle(self, cpu: int, task: UserTask, event: CpuEvent) -> None:
        machine = self.machine
        match event:
            case Syscall(abi):
                self._serve(task, abi)
            case PortOut(port, width, values):
                for value in values:
                    machine.ports.write(task, port, width, value)
            case PortIn(port, width, count):
                read = [machine.ports.read(task, port, width) for _ in range(count)]
                machine.backend.finish_in(cpu, task.context, read)
            case CpuFault():
                machine.clock.advance(KERNEL_ENTRY)
                handle_fault(machine, task, event)
            case Preempted():
                if machine.backend.executed() is None:
                    machine.clock.advance(_UNCOUNTED_TURN)
                self._left[cpu] = 0
                machine.runner.other_call(task.slot)

    # Who waits.

    def _wake(self) -> None:
        """Make tasks runnable whose wait is over, and raise the alarms that are due."""
        machine = self.machine
        now = machine.clock.monotonic
        for process in machine.processes.values():
            if process.alarm is not None and process.alarm <= now:
                interval = process.alarm_interval
                process.alarm = now + interval if interval else None
                post(process, SignalInfo(_SIGALRM, code=0x80))
        for task in machine.tasks.values():
            if task.state is TaskState.STOPPED:
                signals.wake_stopped(task)
            elif task.state is TaskState.BLOCKED and task.wait is not None:
                wait = task.wait
                due = wait.deadline is not None and wait.deadline <= now
                if due or signals.interrupts(task) or wait.ready():
                    task.state = TaskState.RUNNABLE

    def _wait(self) -> None:
        """Let time pass until something can happen. Raises MachineError if nothing can."""
        machine = self.machine
        moments = [
            task.wait.deadline
            for task in machine.tasks.values()
            if task.wait is not None and task.wait.deadline is not None
        ]
        moments += [p.alarm for p in machine.processes.values() if p.alarm is not None]
        if any(task.wait is not None and task.wait.host for task in machine.tasks.values()):
            time.sleep(_HOST_POLL)
            if moments:
                machine.clock.advance(int(_HOST_POLL * 1e9))
        elif moments:
            machine.clock.wait_until(min(moments))
        else:
            raise MachineError("deadlock: every task waits, and nothing can wake any of them")
