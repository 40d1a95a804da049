"""Designs of kernels that are not preemptible, but give the CPU up in the midst of their work."""

from __future__ import annotations

from typing import ClassVar

from iopermit.system import machine_state, records
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM, Design, Own
from iopermit.system.machine_state import Cpu, IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Ref


class Note(HeapObject):
    """An object that is needed for a moment."""


class Frugal(Design):
    """Only a task with a map is looked at when it is switched out, and nothing is wrong."""

    id = "frugal"
    preemptible: ClassVar[bool] = False
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
    )

    class Task(machine_state.Task):
        """A task with its map in itself."""

        owns_map: bool = False
        map: Bitmap

    class Globals(records.Globals):
        """What the kernel keeps, if only so that the note is of some class."""

        note: Ref[Note] = NULL

    def bring_up(self, cpu: Cpu) -> None:
        """Deny every port."""
        cpu.tss.bitmap.fill()

    def ioperm(self, cpu: Cpu, task: Own, ports: PortRange, turn_on: bool) -> int:
        """Change the map and load it, or give it up."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        if not task.owns_map:
            if not turn_on:
                return 0
            task.map.fill()
            task.owns_map = True
        task.map.change(ports, turn_on)
        longs = task.map.extent()
        if longs == 0:
            self.give_up(cpu, task)
        else:
            cpu.tss.bitmap.copy_from(task.map)
            cpu.tss.io_map_base = IoMapBase.VALID
        return 0

    def give_up(self, cpu: Cpu, task: Own) -> None:
        """Deny every port."""
        task.owns_map = False
        cpu.tss.io_map_base = IoMapBase.INVALID

    def iopl(self, cpu: Cpu, task: Task, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Cpu, previous: Own, following: Own) -> None:
        """Deny what the last task had, and load what the next one has."""
        if previous.owns_map:
            cpu.tss.io_map_base = IoMapBase.INVALID
        if following.owns_map:
            cpu.tss.bitmap.copy_from(following.map)
            cpu.tss.io_map_base = IoMapBase.VALID

    def exit(self, cpu: Cpu, task: Own) -> None:
        """Give the map up."""
        if task.owns_map:
            self.give_up(cpu, task)


class SleepsInBetween(Frugal):
    """A task that has given its map up waits for memory before the TSS knows."""

    id = "sleeps-in-between"

    def give_up(self, cpu: Cpu, task: Own) -> None:
        """Deny every port too late."""
        task.owns_map = False
        note = self.allocate(Note)
        cpu.tss.io_map_base = IoMapBase.INVALID
        if note is not NULL:
            self.free(note)


class AllocatesAtomically(Frugal):
    """The same with an allocation that must not sleep: nothing is wrong."""

    id = "allocates-atomically"

    def give_up(self, cpu: Cpu, task: Own) -> None:
        """Deny every port in time."""
        with cpu.preemption_disabled():
            task.owns_map = False
            note = self.allocate(Note)
            cpu.tss.io_map_base = IoMapBase.INVALID
            if note is not NULL:
                self.free(note)


class LeavesItToTheWayBack(Frugal):
    """The TSS is told on the way back to user mode, where another task may come first."""

    id = "leaves-it-to-the-way-back"

    class Task(Frugal.Task):
        """A task that remembers that there is something to do."""

        stale: bool = False

    def give_up(self, cpu: Cpu, task: Own) -> None:
        """Note what is to be done."""
        task.owns_map = False
        task.stale = True

    def exit(self, cpu: Cpu, task: Own) -> None:
        """Deny every port at once: there is no way back."""
        task.owns_map = False
        cpu.tss.io_map_base = IoMapBase.INVALID

    def return_to_user(self, cpu: Cpu, task: Task) -> None:
        """Deny every port, if this task has given its map up."""
        if task.stale:
            task.stale = False
            cpu.tss.io_map_base = IoMapBase.INVALID
