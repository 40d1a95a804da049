"""Designs that differ in what they reset when a CPU comes up again: the map, its tag, its mark."""

from __future__ import annotations

from typing import ClassVar

from iopermit.system import machine_state
from iopermit.system.bitmap import Bitmap, PortRange
from iopermit.system.design import EINVAL, EPERM, Design, Own
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Longs, Ref, Sequence


class Resets(Design):
    """A tag says whose map the TSS has, a mark how many longs of it may have allowed ports."""

    id = "resets"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
    )

    class Task(machine_state.Task):
        """A task with its map in itself."""

        number: Sequence = 0
        """Tells this map with these contents from all others; 0: there is none."""
        longs: Longs = 0
        map: Bitmap

    class Tss(machine_state.Tss):
        """A TSS."""

        tag: Sequence = 0
        dirty: Longs = 0

    def bring_up(self, cpu: Own) -> None:
        """Deny every port, and say so."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        cpu.tss.tag = 0
        cpu.tss.bitmap.fill()
        cpu.tss.dirty = 0

    def ioperm(self, cpu: Own, task: Own, ports: PortRange, turn_on: bool) -> int:
        """Change the map and load it."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and not task.privileged:
            return -EPERM
        with cpu.preemption_disabled():
            if task.number == 0:
                task.map.fill()
            task.map.change(ports, turn_on)
            task.longs = task.map.extent()
            task.number = self.next_sequence()
            self.load(cpu, task)
        return 0

    def iopl(self, cpu: Own, task: Own, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Own, previous: Own, following: Own) -> None:
        """Load the map of a task that has one; hide it from one that has none."""
        if following.number == 0:
            cpu.tss.io_map_base = IoMapBase.INVALID
        else:
            self.load(cpu, following)

    def load(self, cpu: Own, task: Own) -> None:
        """Copy what may differ, unless the TSS has the map already."""
        if cpu.tss.tag != task.number:
            longs = max(cpu.tss.dirty, task.longs)
            cpu.tss.bitmap.copy_from(task.map, longs)
            cpu.tss.dirty = task.longs
            cpu.tss.tag = task.number
        cpu.tss.io_map_base = IoMapBase.VALID


class ForgetsTag(Resets):
    """Denies every port, but the tag still says that the TSS has some task's map: a loss."""

    id = "forgets-tag"

    def bring_up(self, cpu: Own) -> None:
        """Deny every port."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        cpu.tss.bitmap.fill()
        cpu.tss.dirty = 0


class NeverFills(Resets):
    """Leaves map, tag and mark as they were, which belong together: nothing is wrong."""

    id = "never-fills"

    class Tss(Resets.Tss):
        """A TSS that knows whether it was initialised, for what the kernel does statically."""

        filled: bool = False

    def bring_up(self, cpu: Own) -> None:
        """Deny every port, by the map only the first time."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        if not cpu.tss.filled:
            cpu.tss.bitmap.fill()
            cpu.tss.filled = True


class WrongMark(NeverFills):
    """Takes the map for that of a new CPU, but its longs are as they were: a leak."""

    id = "wrong-mark"

    def bring_up(self, cpu: Own) -> None:
        """Reset what is known about the map, and not the map, but for the first time."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        cpu.tss.tag = 0
        cpu.tss.dirty = 0
        if not cpu.tss.filled:
            cpu.tss.bitmap.fill()
            cpu.tss.filled = True


class WithoutHook(Resets):
    """Has no bring_up; so all of the map is always copied."""

    id = "without-hook"
    bring_up = Design.bring_up

    def load(self, cpu: Own, task: Own) -> None:
        """Copy all of the map, always."""
        cpu.tss.bitmap.copy_from(task.map)
        cpu.tss.io_map_base = IoMapBase.VALID


class WithoutHotplug(ForgetsTag):
    """A kernel whose CPUs stay up."""

    id = "without-hotplug"
    cpu_hotplug: ClassVar[bool] = False


class Record(HeapObject):
    """What a CPU keeps of itself."""

    number: Sequence = 0


class AllocatesAgain(Resets):
    """Makes its record anew each time, and loses the one before: garbage."""

    id = "allocates-again"

    class Cpu(machine_state.Cpu):
        """A CPU."""

        record: Ref[Record] = NULL

    def bring_up(self, cpu: Own) -> None:
        """Deny every port, and allocate."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        cpu.tss.tag = 0
        cpu.tss.bitmap.fill()
        cpu.tss.dirty = 0
        cpu.record = self.allocate(Record)


class AllocatesOnce(AllocatesAgain):
    """Keeps the record that it has."""

    id = "allocates-once"

    def bring_up(self, cpu: Own) -> None:
        """Deny every port; allocate only if there is no record."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        cpu.tss.tag = 0
        cpu.tss.bitmap.fill()
        cpu.tss.dirty = 0
        if cpu.record is NULL:
            cpu.record = self.allocate(Record)


class LooksAround(Resets):
    """Follows cpu.current, which is the idle task, and looks at the limit, which is full."""

    id = "looks-around"

    def bring_up(self, cpu: Own) -> None:
        """Deny every port, and see who runs."""
        cpu.tss.io_map_base = IoMapBase.INVALID
        cpu.tss.tag = 0
        cpu.tss.bitmap.fill()
        cpu.tss.dirty = 0
        assert cpu.current.number == 0
        assert not cpu.tr_limit_low
        cpu.current.longs = 0
