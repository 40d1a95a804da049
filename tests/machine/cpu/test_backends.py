"""The CPU back ends: the same code leads to the same events and registers."""

from __future__ import annotations

import threading
import time

import pytest
from tests.support.machine.bare_machine import CODE, DATA, BareMachine

from iopermit.machine.cpu.interface import (
    GENERAL_PROTECTION,
    INVALID_OPCODE,
    PAGE_FAULT,
    R11,
    RAX,
    RBX,
    RCX,
    RFLAGS,
    RIP,
    RSP,
    CpuFault,
    Preempted,
    Syscall,
)
from iopermit.machine.memory.physical import PAGE


def test_syscall(machine: BareMachine) -> None:
    """SYSCALL stops behind itself, with RIP in RCX and RFLAGS in R11."""
    context = machine.load("b827000000 0f05 ffc0 0f05")
    assert machine.run(context) == Syscall(64)
    registers = context.registers
    assert (registers[RAX], registers[RIP], registers[RCX]) == (39, CODE + 7, CODE + 7)
    assert registers[R11] == registers[RFLAGS]
    assert machine.run(context) == Syscall(64)
    assert registers[RAX] == 40


def test_int80_in_64_bit_code(machine: BareMachine) -> None:
    """INT 0x80 stops behind itself."""
    context = machine.load("b827000000 cd80 f4")
    assert machine.run(context) == Syscall(32)
    assert context.registers[RIP] == CODE + 7


def test_compatibility_mode(machine: BareMachine) -> None:
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
def test_exceptions(machine: BareMachine, code: str, vector: int, offset: int) -> None:
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
def test_page_faults(machine: BareMachine, code: str, address: int, error: int) -> None:
    """The address and the kind of access are told; the kernel's memory is out of reach."""
    context = machine.load(code)
    event = machine.run(context)
    assert isinstance(event, CpuFault)
    assert (event.vector, event.address) == (PAGE_FAULT, address)
    assert event.error & 0x16 == error & 0x16


def test_contexts_are_separate(machine: BareMachine) -> None:
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


def test_extended_state_is_saved(machine: BareMachine) -> None:
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


def test_changed_page_tables_are_noticed(machine: BareMachine) -> None:
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


def test_a_context_has_one_register_file_for_all_widths(machine: BareMachine) -> None:
    """Flags and the stack pointer come back as user code left them."""
    context = machine.load("f9 54 0f05")
    assert machine.run(context) == Syscall(64)
    assert context.registers[RFLAGS] & 1
    assert context.registers[RSP] == DATA + PAGE - 8
    pushed = bytes(machine.memory.page(machine.data)[-8:])
    assert int.from_bytes(pushed, "little") == DATA + PAGE


def test_a_budget_ends_a_loop(machine: BareMachine) -> None:
    """A task that never enters the kernel is preempted, and goes on where it was."""
    context = machine.load("ffc3 ebfc")
    assert machine.run(context, budget=10_000) == Preempted()
    done = context.registers[RBX]
    assert done > 0
    assert machine.run(context, budget=10_000) == Preempted()
    assert context.registers[RBX] > done


def test_stop_ends_a_loop(machine: BareMachine) -> None:
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
        machine = BareMachine("unicorn")
        context = machine.load("ffc3 90 90 ebfa")
        assert machine.run(context, budget=1_000) == Preempted()
        counts.append((context.registers[RBX], machine.cpu.executed()))
    assert counts[0] == counts[1]
    loops, executed = counts[0]
    assert executed is not None
    assert 1_000 < executed < 1_010
    assert abs(4 * loops - executed) <= 4
