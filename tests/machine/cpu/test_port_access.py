"""The CPU back ends check every port access by the TSS of the CPU."""

from __future__ import annotations

from tests.support.machine.bare_machine import CODE, DATA, INVALID, VALID, BareMachine

from iopermit.machine.cpu.interface import (
    GENERAL_PROTECTION,
    PAGE_FAULT,
    RAX,
    RBX,
    RCX,
    RDI,
    RDX,
    RIP,
    CpuFault,
    PortIn,
    PortOut,
    Syscall,
)


def test_ports_are_refused(machine: BareMachine) -> None:
    """With the base past the limit no port access passes, and nothing else happens."""
    for code in ("90 ee", "90 ec", "90 66ef", "90 e580", "90 6c", "90 f36e", "90 66f36d"):
        context = machine.load(code)
        context.registers[RDX], context.registers[RCX] = 0x80, 2
        event = machine.run(context)
        assert event == CpuFault(GENERAL_PROTECTION)
        assert context.registers[RIP] == CODE + 1
        assert context.registers[RCX] == 2


def test_ports_are_allowed_by_the_bitmap(machine: BareMachine) -> None:
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


def test_every_port_of_an_access_counts(machine: BareMachine) -> None:
    """A wide access is refused if the bit of its last port is set."""
    for port in range(0x80, 0x83):
        machine.allow(0, port)
    for code, passes in (("ee", True), ("66ef", True), ("ef", False)):
        context = machine.load(code)
        context.registers[RDX] = 0x80
        assert isinstance(machine.run(context), PortOut) == passes


def test_each_cpu_has_its_tss(machine: BareMachine) -> None:
    """What one CPU allows, another one refuses."""
    machine.allow(1, 0x80)
    context = machine.load("ee 90 0f05")
    context.registers[RDX] = 0x80
    assert machine.run(context, cpu=0) == CpuFault(GENERAL_PROTECTION)
    assert machine.run(context, cpu=1) == PortOut(0x80, 1, (0,))
    assert machine.run(context, cpu=0) == Syscall(64)


def test_the_live_bitmap_counts(machine: BareMachine) -> None:
    """A change of the TSS in memory is in force at the next access."""
    context = machine.load("ee eb fd")
    context.registers[RDX] = 0x80
    machine.allow(0, 0x80)
    assert isinstance(machine.run(context), PortOut)
    machine.set_base(0, INVALID)
    assert machine.run(context) == CpuFault(GENERAL_PROTECTION)
    machine.set_base(0, VALID)
    assert isinstance(machine.run(context), PortOut)


def test_string_input(machine: BareMachine) -> None:
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


def test_code_behind_a_port_access_is_not_executed_early(machine: BareMachine) -> None:
    """A refused access leaves the registers as they are in front of it, each time."""
    context = machine.load("ffc3 ee ffc3 ffc3 0f05")
    context.registers[RDX] = 0x80
    assert machine.run(context) == CpuFault(GENERAL_PROTECTION)
    assert context.registers[RBX] == 1
    machine.allow(0, 0x80)
    assert isinstance(machine.run(context), PortOut)
    assert machine.run(context) == Syscall(64)
    assert context.registers[RBX] == 3


def test_other_code_at_the_address_of_a_port_access(machine: BareMachine) -> None:
    """An address that once had a port access can have anything else."""
    context = machine.load("ee 0f05")
    assert machine.run(context) == CpuFault(GENERAL_PROTECTION)
    context = machine.load("ffc3 ffc3 0f05")
    assert machine.run(context) == Syscall(64)
    assert context.registers[RBX] == 2
