"""The instruction with which a transition begins: without `lock`, a read and a write are two."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.kernel.cpu.registers import (
    NAMES,
    READ_ADDRESS,
    READ_SIZE,
    READ_VALUE,
    RIP,
    Registers,
)

if TYPE_CHECKING:
    from iopermit.kernel.cpu.emulator import Emulator, Fault
    from iopermit.kernel.execution.classifier import Classifier


class FirstInstruction:
    """Stops between the read and the write of an instruction that other CPUs can come between.

    That is one that reads memory and writes it back without a `lock` prefix (SDM vol. 3, "Bus
    Locking"). A context stops before an access that others make as well, so such an instruction is
    the first one of a transition, and the registers before it are those with which the transition
    began. They are kept together with what was read. To go on, that value is put back in place and
    the instruction executed: it reads what it had read, and its write is the one that is left.
    """

    def __init__(self, accesses: Classifier, emulator: Emulator) -> None:
        """Watch no transition yet.

        Args:
            accesses: knows which instructions have a `lock` prefix.
            emulator: executes the transitions.
        """
        self._accesses, self._emulator = accesses, emulator
        self._registers: Registers = ()
        self._read: tuple[int, int] | None = None

    def begin(self, registers: Registers) -> None:
        """Begin a transition with some registers; put back in place what was read before."""
        self._registers, self._read = registers, None
        if self._has_read():
            value = registers[READ_VALUE].to_bytes(8, "little")
            self._accesses.note_tss(registers[READ_ADDRESS], registers[READ_SIZE])
            self._emulator.write(registers[READ_ADDRESS], value[: registers[READ_SIZE]])

    def _has_read(self) -> bool:
        return bool(self._registers[READ_SIZE])

    def accesses(self, address: int, size: int, write: bool) -> bool:  # noqa: FBT001 - Unicorn's
        """Take note of an access of the first instruction; return whether to stop before it.

        Args:
            address: of memory that other CPUs may access.
            size: bytes.
            write: whether it is written.
        """
        before, rip, seen = self._read, self._registers[RIP], self._accesses.seen
        if not write:
            self._read = address, size
        if before is None or self._has_read() or self._accesses.is_locked(rip):
            return False
        if before != (address, size):
            seen.torn = rip
        return write and seen.torn != rip

    def halfway(self) -> Registers:
        """Return the registers before the instruction, with what it has read."""
        assert self._read is not None  # it is asked behind a read
        address, size = self._read
        value = int.from_bytes(self._emulator.read(address, size), "little")
        return (*self._registers[: len(NAMES)], address, size, value)

    def fault(self, fault: Fault) -> Fault:
        """Return a fault of the instruction as one of the access that it was about to make."""
        began = self._has_read() and fault.instruction == self._registers[RIP]
        return replace(fault, access="write") if began else fault
