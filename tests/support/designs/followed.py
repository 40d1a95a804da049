"""Designs whose violations are hard to follow: a loop without end, and an object lost among two."""

from __future__ import annotations

from typing import ClassVar

from tests.support.designs.shared_objects import Denying

from iopermit.system import machine_state, records
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EPERM, Own
from iopermit.system.machine_state import Cpu, IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Ref, Refcount


class Note(HeapObject):
    """Something that is kept."""

    written: bool = False


class Keeping(Denying):
    """A kernel that can keep a note."""

    class Globals(records.Globals):
        """What all tasks see."""

        note: Ref[Note] = NULL


class SpinsForEver(Keeping):
    """With a note ioperm() never ends; without memory for one the kernel crashes."""

    id = "spins-for-ever"

    def ioperm(self, cpu: Cpu, task: machine_state.Task, ports: PortRange, turn_on: bool) -> int:
        """Wait for what never happens."""
        note = self.allocate(Note)
        turns = 0
        while note is not NULL:
            turns = 1 - turns
        assert note is not NULL, "no memory"
        return -EPERM


class LosesTheFirst(Keeping):
    """Two tasks each keep a new note, and the one that was kept first is lost."""

    id = "loses-the-first"

    def ioperm(self, cpu: Cpu, task: machine_state.Task, ports: PortRange, turn_on: bool) -> int:
        """Keep a note, if none is kept."""
        if self.globals.note is NULL:
            note = self.allocate(Note)
            if note is not NULL:
                note.written = True
                self.globals.note = note
        return -EPERM


class LoadsAtSwitch(Denying):
    """A task shares its map with its child; every switch looks into the map of the next task."""

    id = "loads-at-switch"
    layout: ClassVar[TssLayout] = Denying.layout

    class Map(HeapObject):
        """A map, and how many tasks have it."""

        bits: Bitmap
        refcnt: Refcount = 0

    class Task(machine_state.Task):
        """A task with a map, or none."""

        map: Ref[LoadsAtSwitch.Map] = NULL

    def ioperm(self, cpu: Cpu, task: Task, ports: PortRange, turn_on: bool) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Own, previous: Own, following: Own) -> None:
        """Copy the next task's map, if it has one."""
        if following.map is not NULL:
            cpu.tss.bitmap.copy_from(following.map.bits)
        cpu.tss.io_map_base = IoMapBase.INVALID

    def fork(self, cpu: Cpu, task: Task, child: Task) -> int:
        """Share the map."""
        child.map = NULL
        if task.map is not NULL:
            task.map.refcnt += 1
            child.map = task.map
        return 0


class NothingOnTheWay(Denying):
    """On the way back to user mode nothing is done, and a switch begins that way again."""

    id = "nothing-on-the-way"

    def ioperm(self, cpu: Cpu, task: machine_state.Task, ports: PortRange, turn_on: bool) -> int:
        """Refuse."""
        return -EPERM

    def return_to_user(self, cpu: Cpu, task: machine_state.Task) -> None:
        """Do nothing."""
