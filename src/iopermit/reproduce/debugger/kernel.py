"""What a stopped kernel is doing: who runs, which call, which flags."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import capstone

from iopermit.reproduce.debugger.tss import read_tss
from iopermit.reproduce.errors import UnforcedError

if TYPE_CHECKING:
    from iopermit.report.reproduction.facts import SeenTss
    from iopermit.reproduce.debugger.remote import Registers, RemoteDebugger
    from iopermit.reproduce.debugger.symbols import SymbolTable
    from iopermit.reproduce.image.layout import KernelLayout

_NEED_RESCHED_FOLDED: Final = 1 << 31
"""In the preempt count of x86, inverted: nothing asks for rescheduling (asm/preempt.h)."""
_LOWER_HALF: Final = 0xFFFFFFFF


@dataclass(frozen=True)
class SeenTask:
    """A task of the kernel."""

    address: int
    """Of its `struct task_struct`."""
    name: str
    """The letter of a task of the guest, or what the kernel calls it."""
    attempt: int | None
    """For a task of the guest the number of the attempt that it belongs to."""


class StoppedKernel:
    """Asks a stopped kernel."""

    def __init__(
        self, debugger: RemoteDebugger, layout: KernelLayout, symbols: SymbolTable
    ) -> None:
        """Remember whom to ask, and where things are."""
        self.debugger, self.layout, self.symbols = debugger, layout, symbols
        self._current = self._variable("current_task", layout.hot_current)
        self._preempt_count = self._variable("__preempt_count", layout.hot_preempt_count)
        self._ticks = self._variable("jiffies_64", None)

    def _variable(self, name: str, in_hot: int | None) -> int:
        """Return the address of a variable, or the offset of a CPU's own from its base."""
        address = self.symbols.find(name)
        if address is not None:
            return address
        hot = self.symbols.find("pcpu_hot")
        if hot is None or in_hot is None:
            raise UnforcedError(None, f"the kernel has no symbol {name}")
        return hot + in_hot

    def registers(self, cpu: int | None = None) -> Registers:
        """Return the registers of a CPU, by default of the one that stopped."""
        return self.debugger.registers(cpu)

    def current(self, registers: Registers) -> SeenTask:
        """Return whom the CPU executes."""
        return self.task(self._pointer(registers.kernel_base + self._current))

    def task(self, address: int) -> SeenTask:
        """Return a task by its address."""
        content = self.debugger.read(address + self.layout.name, 16)
        name = content.split(b"\0")[0].decode(errors="replace")
        letter, _, attempt = name.partition(".")
        if len(letter) == 1 and letter.isupper() and attempt.isdecimal():
            return SeenTask(address, letter, int(attempt))
        return SeenTask(address, name, None)

    def flags(self, task: SeenTask) -> int:
        """Return the flags of a task (TIF_...)."""
        return self.debugger.read_number(task.address + self.layout.flags, 4)

    def map_pointer(self, task: SeenTask) -> int:
        """Return a task's pointer to its map."""
        return self._pointer(task.address + self.layout.io_bitmap)

    def preemption_is_off(self, registers: Registers) -> bool:
        """Return whether the preempt count of the CPU forbids preemption."""
        where = registers.kernel_base + self._preempt_count
        return self.debugger.read_number(where, 4) & ~_NEED_RESCHED_FOLDED != 0

    def wants_rescheduling(self, registers: Registers) -> bool:
        """Return whether another task waits for the CPU."""
        where = registers.kernel_base + self._preempt_count
        return not self.debugger.read_number(where, 4) & _NEED_RESCHED_FOLDED

    def ticks(self) -> int:
        """Return how often the kernel's clock has ticked."""
        return self.debugger.read_number(self._ticks, 8)

    def arguments(self, registers: Registers) -> tuple[int, ...]:
        """Return the arguments of a system call, at the entry of its function."""
        found = (self._pointer(registers["rdi"] + offset) for offset in self.layout.arguments)
        return tuple(number & _LOWER_HALF for number in found)

    def tss(self, cpu: int, registers: Registers) -> SeenTss:
        """Return the TSS of a CPU; in user mode with the IOPL of the task."""
        eflags = registers["eflags"] if registers.user_mode else 0
        return read_tss(self.debugger, self.layout, cpu, eflags)

    def instruction_before(self, address: int) -> int:
        """Return the address of the instruction before one, in the same function."""
        start = self.symbols.start_of(address)
        code = self.debugger.read(start, address - start)
        disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        addresses = [each[0] for each in disassembler.disasm_lite(code, start)]
        return int(addresses[-1])

    def _pointer(self, address: int) -> int:
        number: int = struct.unpack("<Q", self.debugger.read(address, 8))[0]
        return number
