"""Designs with the faults that `faults` plants in kernel trees: the twin of each."""

from __future__ import annotations

from typing import ClassVar

from iopermit.designs.linux.base import MAX_IOPL
from iopermit.designs.linux.v5_5 import IoBitmap, Linux55
from iopermit.designs.linux.v6_16 import Linux616PreemptOff
from iopermit.system.bitmap import PortRange  # noqa: TC001 - the translator evaluates it
from iopermit.system.design import EINVAL, ENOMEM, EPERM
from iopermit.system.machine_state import IoMapBase
from iopermit.system.records import NULL


class OwnExtent(Linux616PreemptOff):
    """Only the incoming map's own extent is copied into the TSS."""

    id = "twin:own-extent"

    def tss_select_io_bitmap(self, cpu: Linux55.Cpu) -> None:
        """Copy too little."""
        iobm = cpu.current.io_bitmap
        assert iobm is not NULL, "WARN_ON_ONCE(!iobm)"
        if cpu.tss.prev_sequence != iobm.sequence:
            cpu.tss.bitmap.copy_from(iobm.bitmap, iobm.max)
            cpu.tss.prev_max = iobm.max
            cpu.tss.prev_sequence = iobm.sequence
        cpu.tss.io_map_base = IoMapBase.VALID


class SequenceKept(Linux616PreemptOff):
    """A changed map does not get a new sequence number."""

    id = "twin:sequence-kept"

    def ioperm(  # noqa: PLR0911 - the ways out that the system call has
        self, cpu: Linux55.Cpu, task: Linux55.Task, ports: PortRange, turn_on: bool
    ) -> int:
        """Change the map and leave its number."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and (not task.privileged or self.globals.locked_down):
            return -EPERM
        iobm = task.io_bitmap
        if iobm is NULL:
            if not turn_on:
                return 0
            iobm = self.allocate(IoBitmap)
            if iobm is NULL:
                return -ENOMEM
            iobm.bitmap.fill()
            iobm.refcnt = 1
        if iobm.refcnt > 1:
            duplicate = self.allocate(IoBitmap)
            if duplicate is NULL:
                return -ENOMEM
            self.copy_io_bitmap(duplicate, iobm)
            iobm = duplicate
            self.io_bitmap_exit(cpu, task)
        task.io_bitmap = iobm
        task.tif_io_bitmap = True
        iobm.bitmap.change(ports, turn_on)
        longs = iobm.bitmap.extent()
        if longs == 0:
            self.io_bitmap_exit(cpu, task)
            return 0
        iobm.max = longs
        return 0


class SwitchOut(Linux616PreemptOff):
    """The base is not invalidated on switch-out."""

    id = "twin:switch-out"

    def switch_to(self, cpu: Linux55.Cpu, previous: Linux55.Task, following: Linux55.Task) -> None:
        """Leave the base."""


class WriteShared(Linux616PreemptOff):
    """A shared map is changed without being duplicated."""

    id = "twin:write-shared"

    def ioperm(self, cpu: Linux55.Cpu, task: Linux55.Task, ports: PortRange, turn_on: bool) -> int:
        """Change the map, whoever else has it."""
        if not ports.is_valid():
            return -EINVAL
        if turn_on and (not task.privileged or self.globals.locked_down):
            return -EPERM
        iobm = task.io_bitmap
        if iobm is NULL:
            if not turn_on:
                return 0
            iobm = self.allocate(IoBitmap)
            if iobm is NULL:
                return -ENOMEM
            iobm.bitmap.fill()
            iobm.refcnt = 1
        task.io_bitmap = iobm
        task.tif_io_bitmap = True
        iobm.bitmap.change(ports, turn_on)
        longs = iobm.bitmap.extent()
        if longs == 0:
            self.io_bitmap_exit(cpu, task)
            return 0
        iobm.max = longs
        iobm.sequence = self.next_sequence()
        return 0


class CopiedCount(Linux616PreemptOff):
    """The duplicate of a shared map keeps the old count."""

    id = "twin:copied-count"
    no_refcnt_reset: ClassVar[bool] = True


class ExtentFirst(Linux616PreemptOff):
    """The dirty extent is lowered before the copy that needs it."""

    id = "twin:extent-first"

    def tss_select_io_bitmap(self, cpu: Linux55.Cpu) -> None:
        """Forget what is dirty too early."""
        iobm = cpu.current.io_bitmap
        assert iobm is not NULL, "WARN_ON_ONCE(!iobm)"
        if cpu.tss.prev_sequence != iobm.sequence:
            cpu.tss.prev_max = iobm.max
            cpu.tss.bitmap.copy_from(iobm.bitmap, max(cpu.tss.prev_max, iobm.max))
            cpu.tss.prev_sequence = iobm.sequence
        cpu.tss.io_map_base = IoMapBase.VALID


class FlagOnly(Linux616PreemptOff):
    """The flag is cleared and the base stays valid."""

    id = "twin:flag-only"

    def task_update_io_bitmap(
        self,
        cpu: Linux55.Cpu,
        tsk: Linux55.Task,  # noqa: ARG002 - the hook's signature
    ) -> None:
        """Clear the flag, and no more."""
        if cpu.current.iopl_emul == MAX_IOPL or cpu.current.io_bitmap is not NULL:
            cpu.current.tif_io_bitmap = True
        else:
            with cpu.preemption_disabled():
                cpu.current.tif_io_bitmap = False


class ExitAny(Linux616PreemptOff):
    """Giving up another task's map updates the current task's flag and TSS."""

    id = "twin:exit-any"

    def io_bitmap_exit(self, cpu: Linux55.Cpu, tsk: Linux55.Task) -> None:
        """Do not look whose map it is."""
        iobm = tsk.io_bitmap
        tsk.io_bitmap = NULL
        self.task_update_io_bitmap(cpu, tsk)
        self.io_bitmap_put(iobm)


class ExitCurrent(Linux616PreemptOff):
    """The map is taken away from current, whichever task exits."""

    id = "twin:exit-current"

    def io_bitmap_exit(self, cpu: Linux55.Cpu, tsk: Linux55.Task) -> None:
        """Take the child of a failed fork for the current task."""
        iobm = cpu.current.io_bitmap
        cpu.current.io_bitmap = NULL
        if tsk is cpu.current:
            self.task_update_io_bitmap(cpu, tsk)
        self.io_bitmap_put(iobm)


TWINS = {
    "own-extent": OwnExtent,
    "sequence-kept": SequenceKept,
    "switch-out": SwitchOut,
    "write-shared": WriteShared,
    "copied-count": CopiedCount,
    "extent-first": ExtentFirst,
    "flag-only": FlagOnly,
    "exit-current": ExitCurrent,
}
"""The design with each fault, by its name in `faults.FAULTS`."""

HARMLESS_TWINS = {"exit-any": ExitAny}
"""The designs with edits that change nothing, by their names in `faults.HARMLESS`."""
