"""A CPU back end with memory and tables but without a kernel, for tests of the back ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from iopermit import arch
from iopermit.machine.cpu.backends import make_backend
from iopermit.machine.cpu.interface import RIP, RSP
from iopermit.machine.cpu.tables import ProcessorTables
from iopermit.machine.memory.paging import PageTables
from iopermit.machine.memory.physical import PAGE, PhysicalMemory

if TYPE_CHECKING:
    from iopermit.machine.cpu.interface import CpuEvent, UserContext

CODE, DATA = 0x40_0000, 0x50_0000
TSS_SIZE = 0x68 + 8192 + 8
VALID, INVALID = 0x68, 0xFFFF


@dataclass
class BareMachine:
    """A back end with a page of code and a page of data, and one TSS for each of two CPUs."""

    name: str

    def __post_init__(self) -> None:
        """Bring it up; every port is refused."""
        self.memory = PhysicalMemory(8 << 20)
        self.tables = ProcessorTables(self.memory, 2, TSS_SIZE)
        self.space = PageTables(self.memory)
        self.code, self.data = self.memory.allocate(), self.memory.allocate()
        self.space.map(CODE // PAGE, self.code, writable=False, executable=True)
        self.space.map(DATA // PAGE, self.data, writable=True, executable=False)
        self.memory.mark_code(self.code)
        for cpu in range(2):
            self.tables.tss_image(cpu)[VALID:] = 0xFF
            self.tables.write_stack_pointer(cpu)
            self.set_base(cpu, INVALID)
        self.cpu = make_backend(self.name, self.memory, self.tables, self.permitted)
        for cpu in range(2):
            self.cpu.set_task_register(cpu, TSS_SIZE - 1)

    def permitted(self, cpu: int, port: int, width: int) -> bool:
        """Check by the model of the processor, for the back end that needs it."""
        tss = arch.LoadedTss(arch.TssFormat.TSS64, self.tables.tss_image(cpu), TSS_SIZE - 1)
        how = {"cpl": 3, "iopl": 0, "vm86": False, "protected": True}
        return arch.permitted(port, width, tss=tss, **how)  # type: ignore[arg-type]  # of two types

    def set_base(self, cpu: int, base: int) -> None:
        """Set the I/O map base of a CPU."""
        self.tables.tss_image(cpu)[102:104] = list(base.to_bytes(2, "little"))

    def allow(self, cpu: int, port: int) -> None:
        """Clear the bit of a port and make the base valid."""
        self.tables.tss_image(cpu)[VALID + port // 8] &= ~(1 << port % 8) & 0xFF
        self.set_base(cpu, VALID)

    def load(self, code: str, bits: int = 64) -> UserContext:
        """Write code (hexadecimal) and return a fresh context at its start."""
        octets = bytes.fromhex(code)
        self.memory.page(self.code)[: len(octets)] = octets
        self.memory.note_write(self.code)
        context = self.cpu.new_context(bits)
        context.registers[RIP], context.registers[RSP] = CODE, DATA + PAGE
        return context

    def run(self, context: UserContext, cpu: int = 0, budget: int | None = None) -> CpuEvent:
        """Run until an event."""
        return self.cpu.run(cpu, context, self.space.root, budget)
