"""Breakpoints are set and removed once, and passed without interrupts."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from tests.support.reproduce.memory import LAYOUT, MemoryDebugger

from iopermit.reproduce.debugger.breakpoints import Breakpoints
from iopermit.reproduce.debugger.kernel import StoppedKernel
from iopermit.reproduce.debugger.symbols import SymbolTable

if TYPE_CHECKING:
    from iopermit.reproduce.debugger.remote import RemoteDebugger

SYMBOLS = {"current_task": 0x40, "__preempt_count": 0x48, "jiffies_64": 0x9000}


def breakpoints(memory: MemoryDebugger) -> Breakpoints:
    """Return the breakpoints of a machine that only has memory."""
    debugger = cast("RemoteDebugger", memory)
    return Breakpoints(StoppedKernel(debugger, LAYOUT, SymbolTable(SYMBOLS)))


def test_none_is_set_twice() -> None:
    """What is there already, or is not, costs no packet: QEMU would translate everything anew."""
    memory = MemoryDebugger()
    stops = breakpoints(memory)
    stops.add(1, 2)
    stops.add(2, 3)
    stops.remove(2, 4)
    assert memory.done == ["+1", "+2", "+3", "-2"]
    assert stops.addresses == {1, 3}


def test_an_instruction_is_passed() -> None:
    """The breakpoint is lifted for one step of one CPU, and is there again afterwards."""
    memory = MemoryDebugger()
    stops = breakpoints(memory)
    stops.add(1)
    stops.go_past(1, 0)
    stops.go_past(2, 1)
    assert memory.done == ["+1", "-1", "step 0", "+1", "step 1"]


def test_the_next_stop_has_registers() -> None:
    """The machine runs; then the registers are those of the CPU that stopped."""
    memory = MemoryDebugger(rip=0x77)
    cpu, registers = breakpoints(memory).next_stop()
    assert (cpu, registers["rip"], registers.kernel_base) == (1, 0x77, 0x20000)
