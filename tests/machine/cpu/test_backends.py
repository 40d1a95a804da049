"""The CPU back ends: the same code leads to the same events and registers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.machine.kvm import BACKENDS, require_backend

from iopermit import arch
from iopermit.machine.cpu.backends import make_backend
from iopermit.machine.cpu.interface import (
    GENERAL_PROTECTION,
    INVALID_OPCODE,
    PAGE_FAULT,
    R11,
    RAX,
    RBX,
    RCX,
    RDI,
    RDX,
    RFLAGS,
    RIP,
    RSP,
    CpuEvent,
    CpuFault,
    PortIn,
    PortOut,
    Preempted,
    Syscall,
    UserContext,
)
from iopermit.machine.cpu.tables import ProcessorTables
from iopermit.machine.memory.paging import PageTables
from iopermit.machine.memory.physical import PAGE, PhysicalMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

CODE, DATA = 0x40_0000, 0x50_0000
TSS_SIZE = 0x68 + 8192 + 8
VALID, INVALID = 0x68, 0xFFFF


@dataclass
class Machine:
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
        tss = arch.Tss(arch.TssFormat.TSS64, self.tables.tss_image(cpu), TSS_SIZE - 1)
        how = {"cpl": 3, "iopl": 0, "vm86": False, "protected": True}
        return arch.permitted(port, width, tss=tss, **how)  # type: ignore[arg-type]

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


@pytest.fixture(params=BACKENDS)
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    """Give a machine on each back end."""
    require_backend(request.param)
    made = Machine(request.param)
    yield made
    made.cpu.close()


def test_syscall(machine: Machine) -> None:
    """SYSCALL stops behind itself, with RIP in RCX and RFLAGS in R11."""
    context = machine.load("b827000000 0f05 ffc0 0f05")
    assert machine.run(context) == Syscall(64)
    registers = context.registers
    assert (registers[RAX], registers[RIP], registers[RCX]) == (39, CODE + 7, CODE + 7)
    assert registers[R11] == registers[RFLAGS]
    assert machine.run(context) == Syscall(64)
    assert registers[RAX] == 40


def test_int80_in_64_bit_code(machine: Machine) -> None:
    """INT 0x80 stops behind itself."""
    context = machine.load("b827000000 cd80 f4")
    assert machine.run(context) == Syscall(32)
    assert context.registers[RIP] == CODE + 7


def test_compatibility_mode(machine: Machine) -> None:
    """A 32-bit context executes 32-bit code: DEC EAX is the prefix of another one in 64-bit."""
    context = machine.load("b805000000 48 cd80", bits=32)
    assert machine.run(context) == Syscall(32)
    assert context.registers[RAX] == 4


@pytest.mark.parametrize(
    ("code", "vector", "offset"),
    [
        ("90 fa", GENERAL_PROTECTION, 1),
        ("90 f4", GENERAL_PROTECTION, 1),
        ("90 0f0b", INVALID_OPCODE, 1),
        ("31c9 f7f1", 0, 2),
        ("90 cc", 3, 2),
        ("90 0f22d8", GENERAL_PROTECTION, 1),
        ("90 cd81", GENERAL_PROTECTION, 1),
    ],
)
def test_exceptions(machine: Machine, code: str, vector: int, offset: int) -> None:
    """User code that does what it may not raises the exception of the manuals, precisely."""
    for _ in range(3):  # The first exceptions are special to Unicorn.
        context = machine.load(code)
        event = machine.run(context)
        assert isinstance(event, CpuFault)
        assert (event.vector, context.registers[RIP]) == (vector, CODE + offset)


@pytest.mark.parametrize(
    ("code", "address", "error"),
    [
        ("8b042500006000", 0x60_0000, 4),
        ("890425 00006000", 0x60_0000, 6),
        ("890425 10004000", CODE + 0x10, 7),
        ("b800006000 ffe0", 0x60_0000, 0x14),
        ("b800005000 ffe0", DATA, 0x15),
        ("48a100000000 0080ffff", 0xFFFF_8000_0000_0000, 5),
    ],
)
def test_page_faults(machine: Machine, code: str, address: int, error: int) -> None:
    """The address and the kind of access are told; the kernel's memory is out of reach."""
    context = machine.load(code)
    event = machine.run(context)
    assert isinstance(event, CpuFault)
    assert (event.vector, event.address) == (PAGE_FAULT, address)
    assert event.error & 0x16 == error & 0x16


def test_ports_are_refused(machine: Machine) -> None:
    """With the base past the limit no port access passes, and nothing else happens."""
    for code in ("90 ee", "90 ec", "90 66ef", "90 e580", "90 6c", "90 f36e", "90 66f36d"):
        context = machine.load(code)
        context.registers[RDX], context.registers[RCX] = 0x80, 2
        event = machine.run(context)
        assert event == CpuFault(GENERAL_PROTECTION)
        assert context.registers[RIP] == CODE + 1
        assert context.registers[RCX] == 2


def test_ports_are_allowed_by_the_bitmap(machine: Machine) -> None:
    """OUT tells its value and goes on behind; IN gets what it is given."""
    for port in range(0x80, 0x84):
        machine.allow(0, port)
    context = machine.load("ee 66ef ef ec 0f05")
    context.registers[RAX], context.registers[RDX] = 0x1122334455667788, 0x80
    assert machine.run(context) == PortOut(0x80, 1, (0x88,))
    assert machine.run(context) == PortOut(0x80, 2, (0x7788,))
    assert machine.run(context) == PortOut(0x80, 4, (0x55667788,))
    assert machine.run(context) == PortIn(0x80, 1, 1)
    machine.cpu.finish_in(0, context, [0x99])
    assert machine.run(context) == Syscall(64)
    assert context.registers[RAX] == 0x1122334455667799


def test_every_port_of_an_access_counts(machine: Machine) -> None:
    """A wide access is refused if the bit of its last port is set."""
    for port in range(0x80, 0x83):
        machine.allow(0, port)
    for code, passes in (("ee", True), ("66ef", True), ("ef", False)):
        context = machine.load(code)
        context.registers[RDX] = 0x80
        assert isinstance(machine.run(context), PortOut) == passes


def test_each_cpu_has_its_tss(machine: Machine) -> None:
    """What one CPU allows, another one refuses."""
    machine.allow(1, 0x80)
    context = machine.load("ee 90 0f05")
    context.registers[RDX] = 0x80
    assert machine.run(context, cpu=0) == CpuFault(GENERAL_PROTECTION)
    assert machine.run(context, cpu=1) == PortOut(0x80, 1, (0,))
    assert machine.run(context, cpu=0) == Syscall(64)


def test_the_live_bitmap_counts(machine: Machine) -> None:
    """A change of the TSS in memory is in force at the next access."""
    context = machine.load("ee eb fd")
    context.registers[RDX] = 0x80
    machine.allow(0, 0x80)
    assert isinstance(machine.run(context), PortOut)
    machine.set_base(0, INVALID)
    assert machine.run(context) == CpuFault(GENERAL_PROTECTION)
    machine.set_base(0, VALID)
    assert isinstance(machine.run(context), PortOut)


def test_string_input(machine: Machine) -> None:
    """REP INSB writes what it is given to memory, and a missing page is a page fault."""
    machine.allow(0, 0x80)
    context = machine.load("f36c cd80")
    registers = context.registers
    registers[RDX], registers[RCX] = 0x80, 3
    registers[RDI] = DATA + 16
    given = 0
    while (event := machine.run(context)) != Syscall(32):
        assert isinstance(event, PortIn)
        machine.cpu.finish_in(0, context, list(range(given + 1, given + 1 + event.count)))
        given += event.count
    assert given == 3
    assert bytes(machine.memory.page(machine.data)[16:20]) == b"\1\2\3\0"
    assert (registers[RCX], registers[RDI]) == (0, DATA + 19)
    context = machine.load("6c")
    context.registers[RDX], context.registers[RDI] = 0x80, 0x60_0000
    event = machine.run(context)
    if machine.name == "kvm" and isinstance(event, PortIn):
        # KVM's instruction emulator reads the port first.
        machine.cpu.finish_in(0, context, [0])
        event = machine.run(context)
    assert isinstance(event, CpuFault)
    assert (event.vector, event.address) == (PAGE_FAULT, 0x60_0000)


def test_code_behind_a_port_access_is_not_executed_early(machine: Machine) -> None:
    """A refused access leaves the registers as they are in front of it, each time."""
    context = machine.load("ffc3 ee ffc3 ffc3 0f05")
    context.registers[RDX] = 0x80
    assert machine.run(context) == CpuFault(GENERAL_PROTECTION)
    assert context.registers[RBX] == 1
    machine.allow(0, 0x80)
    assert isinstance(machine.run(context), PortOut)
    assert machine.run(context) == Syscall(64)
    assert context.registers[RBX] == 3


def test_other_code_at_the_address_of_a_port_access(machine: Machine) -> None:
    """An address that once had a port access can have anything else."""
    context = machine.load("ee 0f05")
    assert machine.run(context) == CpuFault(GENERAL_PROTECTION)
    context = machine.load("ffc3 ffc3 0f05")
    assert machine.run(context) == Syscall(64)
    assert context.registers[RBX] == 2


def test_contexts_are_separate(machine: Machine) -> None:
    """Vector registers belong to a context; a copy has its own from then on."""
    # movd xmm0, eax; syscall; movd eax, xmm0; syscall
    first = machine.load("660f6ec0 0f05 660f7ec0 0f05")
    first.registers[RAX] = 111
    assert machine.run(first) == Syscall(64)
    second = machine.cpu.copy_context(first)
    second.registers[RIP], second.registers[RAX] = CODE, 222
    assert machine.run(second, cpu=1) == Syscall(64)
    first.registers[RAX] = second.registers[RAX] = 0
    assert machine.run(first, cpu=1) == Syscall(64)
    assert machine.run(second, cpu=0) == Syscall(64)
    assert (first.registers[RAX], second.registers[RAX]) == (111, 222)


def test_extended_state_is_saved(machine: Machine) -> None:
    """What a signal handler does to vector registers can be undone."""
    context = machine.load("660f6ec0 0f05 660f7ec0 0f05")
    context.registers[RAX] = 111
    machine.run(context)
    saved = machine.cpu.save_extended(context)
    context.registers[RIP], context.registers[RAX] = CODE, 222
    machine.run(context)
    machine.cpu.restore_extended(context, saved)
    machine.run(context)
    assert context.registers[RAX] == 111


def test_changed_page_tables_are_noticed(machine: Machine) -> None:
    """After `flush` a right that was taken away is gone, and another page is another page."""
    context = machine.load("8b0425 00005000 890425 00005000 0f05 ebee")
    assert machine.run(context) == Syscall(64)
    machine.space.map(DATA // PAGE, machine.data, writable=False, executable=False)
    machine.cpu.flush()
    event = machine.run(context)
    assert isinstance(event, CpuFault)
    assert (event.vector, event.address, event.error & 7) == (PAGE_FAULT, DATA, 7)
    other = machine.memory.allocate()
    machine.memory.page(other)[:4] = b"\x2a\0\0\0"
    machine.space.map(DATA // PAGE, other, writable=True, executable=False)
    machine.cpu.flush()
    context.registers[RIP] = CODE
    assert machine.run(context) == Syscall(64)
    assert context.registers[RAX] == 0x2A


def test_a_context_has_one_register_file_for_all_widths(machine: Machine) -> None:
    """Flags and the stack pointer come back as user code left them."""
    context = machine.load("f9 54 0f05")
    assert machine.run(context) == Syscall(64)
    assert context.registers[RFLAGS] & 1
    assert context.registers[RSP] == DATA + PAGE - 8
    pushed = bytes(machine.memory.page(machine.data)[-8:])
    assert int.from_bytes(pushed, "little") == DATA + PAGE


def test_a_budget_ends_a_loop(machine: Machine) -> None:
    """A task that never enters the kernel is preempted, and goes on where it was."""
    context = machine.load("ffc3 ebfc")
    assert machine.run(context, budget=10_000) == Preempted()
    done = context.registers[RBX]
    assert done > 0
    assert machine.run(context, budget=10_000) == Preempted()
    assert context.registers[RBX] > done


def test_stop_ends_a_loop(machine: Machine) -> None:
    """Another thread can end a run that has no budget."""
    context = machine.load("ffc3 ebfc")
    timer = threading.Timer(0.1, machine.cpu.stop)
    started = time.monotonic()
    timer.start()
    assert machine.run(context) == Preempted()
    timer.join()
    assert time.monotonic() - started < 5


def test_unicorn_counts_instructions() -> None:
    """The same budget ends at the same instruction, and the count is that of the instructions."""
    counts = []
    for _ in range(2):
        machine = Machine("unicorn")
        context = machine.load("ffc3 90 90 ebfa")
        assert machine.run(context, budget=1_000) == Preempted()
        counts.append((context.registers[RBX], machine.cpu.executed()))
    assert counts[0] == counts[1]
    loops, executed = counts[0]
    assert executed is not None
    assert 1_000 < executed < 1_010
    assert abs(4 * loops - executed) <= 4
