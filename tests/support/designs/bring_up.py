"""Designs that do more at bring-up than to fill the map."""

from __future__ import annotations

from typing import Annotated, ClassVar

from iopermit.system import machine_state, records
from iopermit.system.bitmap import PortRange
from iopermit.system.design import EPERM, Design, Own
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.records import NULL, HeapObject, Range, Ref, Sequence


class Record(HeapObject):
    """What a CPU keeps of itself."""

    number: Sequence = 0


class Booting(Design):
    """Every CPU points to itself, to the one before and to a record, and has a number."""

    id = "booting"
    layout: ClassVar[TssLayout] = TssLayout(
        long_bits=64, bases={IoMapBase.VALID: 104, IoMapBase.INVALID: 0x8000}, limit=104 + 8192
    )

    class Globals(records.Globals):
        """What all CPUs share."""

        last: Ref[machine_state.Cpu] = NULL
        up: Annotated[int, Range(0, 1)] = 0

    class Cpu(machine_state.Cpu):
        """A CPU."""

        itself: Ref[machine_state.Cpu] = NULL
        before: Ref[machine_state.Cpu] = NULL
        record: Ref[Record] = NULL

    def bring_up(self, cpu: Own) -> None:
        """Deny every port and enter the CPU."""
        cpu.tss.bitmap.fill()
        cpu.itself = cpu
        cpu.before = self.globals.last
        self.globals.last = cpu
        record = self.allocate(Record)
        record.number = self.next_sequence()
        cpu.record = record
        if self.globals.up < 1:
            self.globals.up = self.globals.up + 1

    def ioperm(self, cpu: Own, task: Own, ports: PortRange, turn_on: bool) -> int:
        """Open every port to a caller whom it refuses, on a CPU that was brought up."""
        if cpu.itself is not NULL:
            cpu.tss.bitmap.change(ports, turn_on)
            cpu.tss.io_map_base = IoMapBase.VALID
        return -EPERM

    def iopl(self, cpu: Own, task: Own, level: int) -> int:
        """Refuse."""
        return -EPERM

    def switch_to(self, cpu: Own, previous: Own, following: Own) -> None:
        """Deny every port."""
        cpu.tss.io_map_base = IoMapBase.INVALID


class CrashesAtBoot(Booting):
    """Follows a pointer that the first CPU does not have."""

    id = "crashes-at-boot"

    def bring_up(self, cpu: Own) -> None:
        """Look at the record of the CPU before."""
        cpu.before = self.globals.last
        cpu.record = cpu.before.record
        self.globals.last = cpu


class NeverUp(Booting):
    """Waits for what does not come."""

    id = "never-up"

    def bring_up(self, cpu: Own) -> None:
        """Wait for another CPU."""
        while self.globals.up < 1:
            cpu.itself = cpu
