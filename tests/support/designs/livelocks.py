"""Designs whose #GP handler says "again": for ever, for a while, or once because it repairs."""

from __future__ import annotations

from typing import Annotated, ClassVar

from iopermit.system import machine_state, records
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM, Design, Own
from iopermit.system.machine_state import Cpu, IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Range, Ref, Sequence


class NeverRepairs(Design):
    """The handler repairs nothing."""

    id = "never-repairs"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
    )

    class Task(machine_state.Task):
        """A task with its map in itself."""

        owns_map: bool = False
        map: Bitmap

    def bring_up(self, cpu: Cpu) -> None:
        """Deny every port."""
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Own, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map; the next access faults."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            if not task.owns_map:
                task.map.fill()
                task.owns_map = True
            task.map.change(ports, turn_on)
            cpu.tss.io_map_base = IoMapBase.INVALID
        return 0

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Cpu, previous: Task, following: Task) -> None:
        """Deny every port until the next fault."""
        cpu.tss.io_map_base = IoMapBase.INVALID

    def load(self, cpu: Cpu, task: Own) -> None:
        """Let the processor consult the task's map."""
        with cpu.preemption_disabled():
            if task.owns_map:
                cpu.tss.bitmap.copy_from(task.map)
                cpu.tss.io_map_base = IoMapBase.VALID

    def general_protection(self, cpu: Cpu, task: Own) -> bool:
        """Say that the instruction can be executed again."""
        return True


class Repairs(NeverRepairs):
    """The handler loads the map: nothing is wrong."""

    id = "repairs"

    def general_protection(self, cpu: Cpu, task: NeverRepairs.Task) -> bool:
        """Load the map."""
        self.load(cpu, task)
        return task.owns_map


class Toggles(NeverRepairs):
    """The handler does something else every other time, and repairs nothing."""

    id = "toggles"

    class Task(NeverRepairs.Task):
        """A task whose handler alternates."""

        odd: bool = False

    def general_protection(self, cpu: Cpu, task: Task) -> bool:
        """Change the state, and back."""
        if task.odd:
            task.odd = False
            return True
        task.odd = True
        return True


class TakesNumbers(NeverRepairs):
    """Every refusal takes a number that was never there before: no state is the same twice."""

    id = "takes-numbers"

    class Task(NeverRepairs.Task):
        """A task that remembers a number."""

        number: Sequence = 0

    def general_protection(self, cpu: Cpu, task: Task) -> bool:
        """Remember another number."""
        task.number = self.next_sequence()
        return True


class Note(HeapObject):
    """An object that the handler needs for a moment."""


class Allocates(NeverRepairs):
    """The handler takes memory and gives it back; without any it repairs."""

    id = "allocates"

    class Task(NeverRepairs.Task):
        """A task with a pointer."""

        note: Ref[Note] = NULL

    def general_protection(self, cpu: Cpu, task: Task) -> bool:
        """Load the map only if there is no memory."""
        task.note = self.allocate(Note)
        if task.note is NULL:
            self.load(cpu, task)
            return task.owns_map
        self.free(task.note)
        task.note = NULL
        return True


class WantsMemory(Allocates):
    """The handler repairs if it gets memory, and without any it repairs nothing."""

    id = "wants-memory"

    def general_protection(self, cpu: Cpu, task: Allocates.Task) -> bool:
        """Load the map only if there is memory."""
        task.note = self.allocate(Note)
        if task.note is NULL:
            return True
        self.free(task.note)
        task.note = NULL
        self.load(cpu, task)
        return task.owns_map


class TakesTurns(Toggles):
    """The handler opens the first long and closes the others, and the next time the reverse."""

    id = "takes-turns"

    def general_protection(self, cpu: Cpu, task: Toggles.Task) -> bool:
        """Whoever waits for a port gets it, at the second try."""
        if not task.owns_map:
            return False
        with cpu.preemption_disabled():
            if task.odd:
                task.odd = False
                cpu.tss.bitmap.copy_from(task.map)
                cpu.tss.bitmap.fill(1)
            else:
                task.odd = True
                cpu.tss.bitmap.fill()
                cpu.tss.bitmap.copy_from(task.map, 1)
            cpu.tss.io_map_base = IoMapBase.VALID
        return True


class MarksWhoRuns(Repairs):
    """A switch marks the task that the CPU leaves, which may be its idle task."""

    id = "marks-who-runs"

    class Task(NeverRepairs.Task):
        """A task with a mark."""

        left: bool = False

    class Cpu(Cpu):
        """A CPU that knows who runs on it."""

        current: Ref[MarksWhoRuns.Task] = NULL

    def switch_to(self, cpu: Own, previous: NeverRepairs.Task, following: Own) -> None:
        """Mark the task, and deny every port until the next fault."""
        cpu.current.left = True
        cpu.tss.io_map_base = IoMapBase.INVALID


class Spoils(Repairs):
    """The way back to user mode takes away what the handler has loaded."""

    id = "spoils"

    def return_to_user(self, cpu: Cpu, task: NeverRepairs.Task) -> None:
        """Deny every port."""
        cpu.tss.io_map_base = IoMapBase.INVALID


class LoadsOnTheWay(NeverRepairs):
    """The handler only marks the task; the way back to user mode loads the map."""

    id = "loads-on-the-way"

    class Task(NeverRepairs.Task):
        """A task with a mark."""

        wanted: bool = False

    def general_protection(self, cpu: Cpu, task: Task) -> bool:
        """Mark the task."""
        if not task.owns_map:
            return False
        task.wanted = True
        return True

    def return_to_user(self, cpu: Cpu, task: Task) -> None:
        """Load the map of a marked task."""
        if task.wanted:
            task.wanted = False
            self.load(cpu, task)


class SecondTry(NeverRepairs):
    """The handler loads the map when it is called for the second time."""

    id = "second-try"

    class Task(NeverRepairs.Task):
        """A task that remembers the first time."""

        tried: bool = False

    def general_protection(self, cpu: Cpu, task: Task) -> bool:
        """Load the map, or note that this was the first time."""
        if task.tried:
            task.tried = False
            self.load(cpu, task)
            return task.owns_map
        task.tried = True
        return True


class Patient(NeverRepairs):
    """The handler says "again" eight times before it does what it should."""

    id = "patient"

    class Task(NeverRepairs.Task):
        """A task with a number of tries."""

        tries: Annotated[int, Range(0, 8)] = 0

    def general_protection(self, cpu: Cpu, task: Task) -> bool:
        """Load the map at last."""
        if task.tries < 8:
            task.tries += 1
            return True
        task.tries = 0
        self.load(cpu, task)
        return task.owns_map


class GivesUp(Patient):
    """The handler says "again" eight times, and then that the port is refused."""

    id = "gives-up"

    def general_protection(self, cpu: Cpu, task: Patient.Task) -> bool:
        """Refuse at last."""
        if task.tries < 8:
            task.tries += 1
            return True
        task.tries = 0
        return False


class PatientLeak(Patient):
    """A patient handler that loads a map of whoever comes: behind the row there is a leak."""

    id = "patient-leak"

    def ioperm(self, cpu: Cpu, task: Own, ports: PortRange, turn_on: bool) -> int:
        """Leave the old map in force while ports are taken away."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            if not task.owns_map:
                task.map.fill()
                task.owns_map = True
            task.map.change(ports, turn_on)
            if turn_on:
                cpu.tss.io_map_base = IoMapBase.INVALID
        return 0


class Disturbed(NeverRepairs):
    """What a handler has opened, any ioperm() closes: a row of refusals needs another CPU."""

    id = "disturbed"

    class Globals(records.Globals):
        """Whether every CPU has its map in force."""

        open: bool = False

    def map_in_force(self, cpu: Cpu) -> IoMapBase:
        """Return the base, while it is open."""
        return cpu.tss.io_map_base if self.globals.open else IoMapBase.INVALID

    def ioperm(self, cpu: Cpu, task: NeverRepairs.Task, ports: PortRange, turn_on: bool) -> int:
        """Change the task's map, and close the maps of all CPUs."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            cpu.tss.io_map_base = IoMapBase.INVALID
            if not task.owns_map:
                task.map.fill()
                task.owns_map = True
            task.map.change(ports, turn_on)
        self.globals.open = False
        return 0

    def general_protection(self, cpu: Cpu, task: NeverRepairs.Task) -> bool:
        """Load the map and open what was closed."""
        self.load(cpu, task)
        self.globals.open = True
        return task.owns_map
