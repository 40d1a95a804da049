"""Executes a schedule on a booted kernel: lets tasks run, holds one, and looks at every stop.

Nothing is written. A task is held by going on with the breakpoint still set: it executes nothing,
but time passes and interrupts are taken, and one of them has the kernel preempt it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.report.reproduction.facts import Observation, PreemptionPoint
from iopermit.reproduce.attempt import Attempt
from iopermit.reproduce.debugger.breakpoints import Breakpoints
from iopermit.reproduce.errors import UnforcedError
from iopermit.reproduce.guest.commands import ATTEMPTS
from iopermit.reproduce.hold import Hold
from iopermit.reproduce.left_state import LeftState
from iopermit.reproduce.schedule import HELPER, IDLE
from iopermit.reproduce.window import StateWatch, Window, find_window

if TYPE_CHECKING:
    from iopermit.report.reproduction.facts import SeenTss
    from iopermit.reproduce.debugger.kernel import SeenTask, StoppedKernel
    from iopermit.reproduce.debugger.remote import Registers
    from iopermit.reproduce.schedule import ForcedStep, Schedule

ENTRIES: Final = {
    "ioperm": "__x64_sys_ioperm",
    "iopl": "__x64_sys_iopl",
    "fork": "__x64_sys_clone",
    "fork-fails": "__x64_sys_clone3",
    "drop": "__x64_sys_capset",
    "exit": "__x64_sys_exit_group",
    "move": "__x64_sys_sched_setaffinity",
}
"""The kernel's functions that the guest's commands enter."""
SWITCHED: Final = "finish_task_switch"
"""What every task executes first after the CPU switched to it; its argument is the task before."""
_WITH_ARGUMENTS: Final = ("ioperm", "iopl")
"""Calls that are told from others by their arguments."""
NEVER_HAPPENED: Final = f"the schedule did not happen in {ATTEMPTS - 1} attempts"


class Forcer:
    """Forces a schedule in a virtual machine that waits for it to begin."""

    def __init__(self, kernel: StoppedKernel, schedule: Schedule, in_byte: int) -> None:
        """Find the places to stop at.

        Args:
            kernel: the stopped kernel.
            schedule: what is to be forced.
            in_byte: address of the guest's instruction IN.

        Raises:
            UnforcedError: the kernel has no such functions.
        """
        self.kernel, self.schedule, self.in_byte = kernel, schedule, in_byte
        self.attempt = Attempt(-1)
        used = {command.what for command in schedule.commands}
        self.entries = {self._function(ENTRIES[what]): what for what in used if what in ENTRIES}
        self.switched = self._function(SWITCHED)
        self.stops = Breakpoints(kernel)

    def _function(self, name: str) -> int:
        address = self.kernel.symbols.find(name)
        if address is None:
            raise UnforcedError(None, f"the kernel has no function {name}")
        return address

    def rehearse(self) -> Window | None:
        """Let the guest begin, and find where the task is to be preempted, if it is to be."""
        self.stops.add(*self.entries)
        step = self.schedule.preempted
        if step is None:
            return None
        assert step.state is not None  # this makes it one
        while True:
            cpu, registers = self.stops.next_stop()
            task = self._entered(registers)
            if task is not None and self._begun(task) == step.command:
                break
            self.stops.go_past(registers["rip"], cpu)
        flag = self.kernel.flags(task) & ~self.attempt.first_flags[task.name]
        watch = StateWatch.on(step.state, self.kernel, flag)
        if step.state is LeftState.FLAG_CLEARED and not flag:
            raise UnforcedError(step.number, "no grant set a flag of the task before")
        self.stops.remove(*self.entries)
        window = find_window(self.kernel, task, cpu, watch, step.number)
        self.stops.add(*self.entries)
        return window

    def force(self, window: Window | None, position: PreemptionPoint) -> Attempt:
        """Execute the schedule, up to the first IN of the task that is judged.

        Raises:
            UnforcedError: a step did not happen, whatever was tried.
        """
        while self.attempt.number < ATTEMPTS:
            self._stop_where_needed(window)
            cpu, registers = self.stops.next_stop()
            address = registers["rip"]
            if address in self.entries:
                self._entry(registers, window, position, cpu)
            elif address == self.switched:
                self._switch(registers, cpu)
            elif address == self.in_byte and self._is_judged(registers, window, cpu):
                self.stops.remove(*self.stops.addresses)
                if window is not None and window.forbidden is not None:
                    self.attempt.forbidden = self.kernel.symbols.place(window.forbidden)
                return self.attempt
            elif window is not None and self._holdable(registers, window, position, cpu):
                self._hold(registers, position, cpu)
                continue
            self.stops.go_past(address, cpu)
        step = self.schedule.preempted
        number = None if step is None else step.number
        raise UnforcedError(number, NEVER_HAPPENED)

    def _stop_where_needed(self, window: Window | None) -> None:
        """Stop at switches only where the next step is seen there: there are many of them."""
        ready = window is None or self.attempt.preempted
        switch = self._next_switch()
        wanted = set()
        if ready and switch is not None:
            wanted.add(self.switched)
        if window is not None or self._all_begun():
            wanted.add(self.in_byte)
        self.stops.remove(*({self.switched, self.in_byte} - wanted))
        self.stops.add(*wanted)

    def _all_begun(self) -> bool:
        """Return whether every call was made."""
        tasks = {command.task for command in self.schedule.commands}
        return all(self.attempt.calls.get(t, 0) == len(self._commands_of(t)) for t in tasks)

    def _entry(
        self, registers: Registers, window: Window | None, position: PreemptionPoint, cpu: int
    ) -> None:
        """A task makes a call: what was before is over."""
        task = self._entered(registers)
        if task is None:
            return
        command = self._begun(task)
        if self.schedule.commands[command].timed and not self.attempt.preempted:
            self.attempt.missed = True
        step = next((s for s in self.schedule.steps if s.command == command), None)
        if step is None:
            return
        before = step.number - 1
        if before and before not in self.attempt.observations:
            self._observe(self.schedule.steps[before - 1], registers, cpu)
        if step is self.schedule.preempted and window is not None:
            self.stops.add(window.address(position))
            self.attempt.armed = True

    def _entered(self, registers: Registers) -> SeenTask | None:
        """Return the task of the guest that has just begun its next command, if one has."""
        task = self.kernel.current(registers)
        what = self.entries.get(registers["rip"])
        if task.attempt is None or what is None:
            return None
        if task.attempt != self.attempt.number:
            self.attempt = Attempt(task.attempt)
        self.attempt.first_flags.setdefault(task.name, self.kernel.flags(task))
        begun = self.attempt.calls.get(task.name, 0)
        own = self._commands_of(task.name)
        if begun >= len(own):
            return None
        command = self.schedule.commands[own[begun]]
        given = self.kernel.arguments(registers)[: len(command.arguments)]
        if command.what != what or (what in _WITH_ARGUMENTS and given != command.arguments):
            return None
        self.attempt.calls[task.name] = begun + 1
        return task

    def _begun(self, task: SeenTask) -> int:
        """Return the command that a task has begun last."""
        return self._commands_of(task.name)[self.attempt.calls[task.name] - 1]

    def _commands_of(self, task: str) -> list[int]:
        """Return the commands of a task that enter the kernel by a function of their own."""
        commands = enumerate(self.schedule.commands)
        return [n for n, each in commands if each.task == task and each.what in ENTRIES]

    def _holdable(
        self, registers: Registers, window: Window, position: PreemptionPoint, cpu: int
    ) -> bool:
        """Return whether the task is where, and everything is as, the counterexample has it."""
        step = self.schedule.preempted
        assert step is not None  # there is a window
        if registers["rip"] != window.address(position):
            return False
        task = self.kernel.current(registers)
        if not self.attempt.armed or task.attempt != self.attempt.number:
            return False
        if task.name != step.task or self.attempt.preempted or self.attempt.missed:
            return False
        if window.watch.reached(self.kernel, task) == (position is PreemptionPoint.BEFORE):
            return False
        if position is PreemptionPoint.AFTER or window.forbidden is not None:
            return True
        # A task that was preempted earlier in this call has its TSS invalidated already.
        return self._tss(registers, cpu).selected is step.base

    def _hold(self, registers: Registers, position: PreemptionPoint, cpu: int) -> None:
        """Hold the task where it is until the next one of the schedule runs in its place."""
        step = self.schedule.preempted
        assert step is not None  # the task is in it
        task, address = self.kernel.current(registers), registers["rip"]
        place, tss = self.kernel.symbols.place(address), self._tss(registers, cpu)
        self.stops.add(self.switched)
        hold = Hold(step.number, place, self.kernel.ticks())
        while not hold.in_vain:
            now_cpu, now = self.stops.next_stop()
            if now["rip"] == self.switched and self._takes_over(now, task):
                self.attempt.preempted = True
                break
            if now["rip"] == address and self.kernel.current(now).address == task.address:
                hold.again(self.kernel.ticks(), waits=self.kernel.wants_rescheduling(now))
            else:
                self.stops.go_past(now["rip"], now_cpu)
        self.stops.remove(address)
        if not self.attempt.preempted:
            self.attempt.missed = True
            return
        if position is PreemptionPoint.WINDOW:
            seen = Observation(step.number, place, cpu, task.name, tss, hold.times)
            self.attempt.observations[step.number] = seen
        self._switch(now, now_cpu)
        self.stops.go_past(self.switched, now_cpu)

    def _takes_over(self, registers: Registers, held: SeenTask) -> bool:
        """Return whether the CPU went on with the task that the schedule names.

        A thread of the kernel may come first; the task that is held is held again behind it.
        """
        step, task = self._next_switch(), self.kernel.current(registers)
        if step is None:
            return False
        wanted = HELPER if step.following == IDLE else step.following
        return task.name == wanted and task.attempt == held.attempt

    def _switch(self, registers: Registers, cpu: int) -> None:
        """Take note of a switch, if it is the next one of the schedule."""
        attempt, step = self.attempt, self._next_switch()
        if step is None or step.row.cpu != cpu:
            return
        current, previous = self.kernel.current(registers), self.kernel.task(registers["rdi"])
        idle = step.following == IDLE
        arrived = previous.name == step.task if idle else current.name == step.following
        ours = previous if idle else current
        if arrived and ours.attempt == attempt.number:
            self._observe(step, registers, cpu)

    def _next_switch(self) -> ForcedStep | None:
        """Return the next step that is seen at a switch, if the calls before it were made."""
        for step in self.schedule.steps:
            if step.number in self.attempt.observations:
                continue
            if step.row.operation.is_switch:
                return step
            if step.command is not None and not self._is_begun(step.command):
                return None
        return None

    def _is_begun(self, command: int) -> bool:
        """Return whether a task has made a call, or one that the debugger does not see."""
        task = self.schedule.commands[command].task
        own = self._commands_of(task)
        return command not in own or self.attempt.calls.get(task, 0) > own.index(command)

    def _is_judged(self, registers: Registers, window: Window | None, cpu: int) -> bool:
        """Take note of the IN of the task that is judged, if its attempt went as it should.

        The first attempt counts: only it begins with a TSS that nobody has used.
        """
        task = self.kernel.current(registers)
        wanted = self.schedule.violation.task
        if task.name != wanted or task.attempt != self.attempt.number:
            return False
        if window is not None and not self.attempt.preempted:
            self.attempt.missed = True
            return False
        if not self._all_begun() or self._next_switch() is not None:
            # A step of the schedule has not been seen.
            return False
        self._observe(self.schedule.steps[-1], registers, cpu)
        return True

    def _observe(self, step: ForcedStep, registers: Registers, cpu: int) -> None:
        address = registers["rip"]
        place = self.kernel.symbols.place(address)
        if registers.user_mode:
            place = "IN of the task"
        task, tss = self.kernel.current(registers).name, self._tss(registers, cpu)
        seen = Observation(step.number, place, cpu, task, tss)
        self.attempt.observations[step.number] = seen

    def _tss(self, registers: Registers, cpu: int) -> SeenTss:
        return self.kernel.tss(cpu, registers)
