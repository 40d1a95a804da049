"""Instructions without `lock` that read memory and write it back, and others in between."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest
from tests.support.kernel.compiling import compiled

from iopermit.kernel.cpu.emulator import Emulator, Fault
from iopermit.kernel.cpu.registers import FLAGS, NAMES, RAX, RFLAGS, RIP, Registers
from iopermit.kernel.execution.classifier import Classifier
from iopermit.kernel.execution.first_instruction import FirstInstruction
from iopermit.kernel.image import memory_map as at
from iopermit.kernel.image.linker import link

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from iopermit.kernel.state.guest_memory import GuestMemory

SHARED, OTHER = at.HEAP, at.HEAP + 64
SAMPLE = """
#define FUNCTION(name, code) \
    long name(int *shared, int *other) \
    { long r = 5; asm volatile(code : "+a"(r), "+D"(shared), "+S"(other) : : "memory"); return r; }
FUNCTION(increment, "incl (%%rdi)")
FUNCTION(decrement, "decl (%%rdi); sete %%al")
FUNCTION(set, "orl %%eax, (%%rdi)")
FUNCTION(exchange_add, "xaddl %%eax, (%%rdi)")
FUNCTION(compare, "cmpxchgl %%esi, (%%rdi)")
FUNCTION(locked, "lock incl (%%rdi)")
FUNCTION(exchange, "xchgl %%eax, (%%rdi)")
FUNCTION(store, "movl %%eax, (%%rdi)")
FUNCTION(load, "movl (%%rdi), %%eax")
FUNCTION(copy, "movsl")
FUNCTION(compare_both, "cmpsl")
FUNCTION(compare_two, "push %%rbx; cmpxchg16b (%%rdi); pop %%rbx")
FUNCTION(compare_two_locked, "push %%rbx; lock cmpxchg16b (%%rdi); pop %%rbx")
"""


class Machine:
    """Small code on an emulated CPU that stops in the middle of an instruction."""

    def __init__(self, object_file: Path) -> None:
        """Link the code, and let other CPUs access two places."""
        self.emulator = Emulator(link([object_file], (), {}))
        for address in (at.TASK, at.HEAP):
            self.emulator.map(address, at.PAGE)
        layout = SimpleNamespace(current_task=0, tss_words=(0, 0))
        memory = SimpleNamespace(layout=layout, heap=1, emulator=self.emulator)
        self.accesses = Classifier(cast("GuestMemory", memory))
        self.first = FirstInstruction(self.accesses, self.emulator)
        self.stopped: Registers | None = None
        self._accessing, self._begun, self._memory = False, 0, b""
        self.emulator.on_access(self._accessed, [(SHARED, SHARED + at.PAGE)])

    def _accessed(self, write: bool, address: int, size: int, _: int) -> None:
        rip = self.emulator.register(RIP)
        if self._accessing and rip != self._begun:
            return
        if not self._accessing:
            # As the executor does: stop before the access, then begin with it.
            self._stop(self.emulator.registers())
        elif self.first.accesses(address, size, write):
            self._stop(self.first.halfway())

    def _stop(self, registers: Registers) -> None:
        """Keep registers and memory: the emulator may carry the instruction out all the same."""
        self.stopped, self._memory = registers, self.emulator.read(SHARED, at.PAGE)
        self.emulator.stop()

    def _run(self, registers: Registers) -> Fault | None:
        self.stopped, self._memory = None, b""
        fault = self.emulator.resume(registers)
        if self._memory:
            self.emulator.write(SHARED, self._memory)
        return fault

    def call(self, function: str) -> Registers:
        """Call a function; return the registers before its access."""
        self._accessing = False
        address = self.emulator.image.address(function)
        arguments = (SHARED, OTHER)
        stack = at.TASK + at.PAGE
        self._run(self.emulator.prepared(address, arguments, stack, FLAGS))
        assert self.stopped is not None
        return self.stopped

    def resume(self, registers: Registers) -> Fault | None:
        """Go on with a stopped context, to its end or into the middle of its instruction."""
        self._accessing, self._begun = True, registers[RIP]
        self.first.begin(registers)
        fault = self._run(registers)
        return None if fault is None else self.first.fault(fault)

    def value(self, address: int = SHARED) -> int:
        """Return what is in memory."""
        return int.from_bytes(self.emulator.read(address, 4), "little")

    def put(self, value: int, address: int = SHARED) -> None:
        """Store something, as another CPU."""
        self.emulator.write(address, value.to_bytes(4, "little"))


@pytest.fixture
def machine(require: Callable[[str], Path], tmp_path: Path) -> Machine:
    """Give a machine with the sample."""
    return Machine(compiled(tmp_path, SAMPLE, gcc=require("gcc")))


@pytest.mark.parametrize(
    ("function", "before", "meanwhile", "after", "result"),
    [
        ("increment", 1, 7, 2, 5),
        ("decrement", 1, 7, 0, 1),
        ("decrement", 2, 1, 1, 0),
        ("set", 2, 8, 7, 5),
        ("exchange_add", 1, 7, 6, 1),
        ("compare", 5, 7, OTHER & 0xFFFF_FFFF, 5),
        ("compare", 4, 7, 4, 4),
    ],
)
def test_another_store_is_lost_between_the_read_and_the_write(
    machine: Machine, function: str, before: int, meanwhile: int, after: int, result: int
) -> None:
    """What is written and returned, and the flags, come from what was read before."""
    machine.put(before)
    machine.resume(machine.call(function))
    halfway = machine.stopped
    assert halfway is not None
    assert machine.value() == before
    machine.put(meanwhile)
    machine.resume(halfway)
    assert machine.stopped is None
    assert machine.value() == after
    assert machine.emulator.register(RAX) & 0xFF == result


def test_nothing_in_between_is_as_if_it_had_not_stopped(machine: Machine) -> None:
    """Read and write one after the other make the increment."""
    machine.put(41)
    machine.resume(machine.call("increment"))
    assert machine.stopped is not None
    machine.resume(machine.stopped)
    assert machine.value() == 42


def test_a_context_in_between_is_told_by_what_it_has_read(machine: Machine) -> None:
    """Two that have read different values differ, in nothing else."""
    read = []
    for value in (1, 2):
        machine.put(value)
        before = machine.call("increment")
        machine.resume(before)
        assert machine.stopped is not None
        assert machine.stopped[: len(NAMES)] == before[: len(NAMES)]
        read.append(machine.stopped[len(NAMES) :])
    assert read == [(SHARED, 4, 1), (SHARED, 4, 2)]


@pytest.mark.parametrize("function", ["locked", "compare_two_locked", "exchange", "store", "load"])
def test_one_access_is_not_interrupted(machine: Machine, function: str) -> None:
    """Neither a `lock`ed instruction, nor XCHG, nor a load or a store alone stops inside."""
    machine.put(1)
    assert machine.resume(machine.call(function)) is None
    assert machine.stopped is None
    assert not machine.accesses.seen.torn


@pytest.mark.parametrize("function", ["copy", "compare_both", "compare_two"])
def test_accesses_to_two_places_are_noted(machine: Machine, function: str) -> None:
    """MOVS, CMPS and CMPXCHG16B are executed as one access each, and that is told."""
    machine.put(3, OTHER)
    before = machine.call(function)
    assert machine.resume(before) is None
    assert machine.stopped is None
    assert machine.accesses.seen.torn == before[RIP]
    assert function != "copy" or machine.value() == 3


@pytest.mark.parametrize(
    ("function", "twice"),
    [
        ("compare_both", True),
        ("compare_two", True),
        ("compare_two_locked", True),
        ("copy", False),
        ("compare", False),
        ("load", False),
    ],
)
def test_which_instructions_read_two_words(machine: Machine, function: str, twice: bool) -> None:
    """All accesses of such an instruction belong to it; a second one of others is a new one."""
    assert machine.accesses.reads_twice(machine.call(function)[RIP]) is twice


def test_a_write_to_what_was_freed_meanwhile_is_a_fault_of_the_write(machine: Machine) -> None:
    """The read was made before; the message says that memory is written."""
    machine.resume(machine.call("increment"))
    halfway = machine.stopped
    assert halfway is not None
    machine.emulator.protect(at.HEAP, at.PAGE, usable=False)
    fault = machine.resume(halfway)
    assert fault is not None
    assert (fault.instruction, fault.address, fault.access) == (halfway[RIP], SHARED, "write")


def test_the_flags_are_those_of_the_whole_instruction(machine: Machine) -> None:
    """A context that stops inside has the flags from before it, not half of the new ones."""
    machine.put(1)
    before = machine.call("decrement")
    machine.resume(before)
    assert machine.stopped is not None
    assert machine.stopped[RFLAGS] == before[RFLAGS]
