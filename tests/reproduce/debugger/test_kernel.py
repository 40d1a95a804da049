"""What a stopped kernel is doing is read from its memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import pytest
from tests.support.reproduce.memory import LAYOUT, MemoryDebugger, registers

from iopermit.reproduce.debugger.kernel import SeenTask, StoppedKernel
from iopermit.reproduce.debugger.symbols import SymbolTable
from iopermit.reproduce.errors import UnforcedError

if TYPE_CHECKING:
    from iopermit.reproduce.debugger.remote import RemoteDebugger
    from iopermit.reproduce.image.layout import KernelLayout

SYMBOLS = {
    "current_task": 0x40,
    "__preempt_count": 0x48,
    "jiffies_64": 0x9000,
    "function": 0x2000,
    "next": 0x2100,
}
TASK = 0x5000


def stopped(
    memory: MemoryDebugger, symbols: dict[str, int] | None = None, layout: KernelLayout = LAYOUT
) -> StoppedKernel:
    """Return a kernel whose memory this is."""
    table = SymbolTable(SYMBOLS if symbols is None else symbols)
    return StoppedKernel(cast("RemoteDebugger", memory), layout, table)


@pytest.mark.parametrize(
    ("name", "task", "attempt"),
    [
        ("A.3", "A", 3),
        ("B.12", "B", 12),
        ("kworker/0:1", "kworker/0:1", None),
        ("a.3", "a.3", None),
    ],
)
def test_tasks_of_the_guest_have_letters(name: str, task: str, attempt: int | None) -> None:
    """A letter and a number are a task of the guest and its attempt; the kernel's have neither."""
    memory = MemoryDebugger()
    memory.task(TASK, name)
    assert stopped(memory).task(TASK) == SeenTask(TASK, task, attempt)


@pytest.mark.parametrize("cpu", [0, 1])
def test_each_cpu_has_a_current_task(cpu: int) -> None:
    """The task that a CPU executes is found by the CPU's own data."""
    memory = MemoryDebugger()
    memory.task(TASK, "A.1", flags=0x400000)
    memory.write_number(0x10000 * (cpu + 1) + 0x40, TASK)
    kernel = stopped(memory)
    task = kernel.current(registers(cpu=cpu))
    assert task.name == "A"
    assert kernel.flags(task) == 0x400000


def test_kernels_in_between_have_the_current_task_elsewhere() -> None:
    """From Linux 6.2 to 6.14 the current task is a member of `pcpu_hot`."""
    memory = MemoryDebugger()
    memory.task(TASK, "A.1")
    memory.write_number(0x10000 + 0x200 + 8, TASK)
    layout = replace(LAYOUT, hot_current=8, hot_preempt_count=16)
    kernel = stopped(memory, {"pcpu_hot": 0x200, "jiffies_64": 0x9000}, layout)
    assert kernel.current(registers()).name == "A"


@pytest.mark.parametrize("missing", ["current_task", "__preempt_count", "jiffies_64"])
def test_a_missing_variable_is_named(missing: str) -> None:
    """A kernel that does not tell the address of a variable is told which."""
    symbols = {name: address for name, address in SYMBOLS.items() if name != missing}
    with pytest.raises(UnforcedError, match=f"no symbol {missing}"):
        stopped(MemoryDebugger(), symbols)


@pytest.mark.parametrize(
    ("count", "off", "wants"),
    [
        (0x80000000, False, False),
        (0, False, True),
        (1, True, True),
        (0x80010000, True, False),
    ],
)
def test_the_preempt_count_tells_what_is_wanted(count: int, *, off: bool, wants: bool) -> None:
    """Its highest bit, inverted, asks for rescheduling; all others forbid preemption."""
    memory = MemoryDebugger()
    memory.write_number(0x10000 + 0x48, count, 4)
    kernel = stopped(memory)
    assert kernel.preemption_is_off(registers()) == off
    assert kernel.wants_rescheduling(registers()) == wants


def test_arguments_are_those_of_the_saved_registers() -> None:
    """A call's first arguments are RDI, RSI and RDX of user mode, of which 32 bits count."""
    memory = MemoryDebugger()
    for at, number in zip(LAYOUT.arguments, (0, 65536, (7 << 32) + 1), strict=True):
        memory.write_number(0x7000 + at, number)
    assert stopped(memory).arguments(registers(rdi=0x7000)) == (0, 65536, 1)


def test_the_clock_ticks() -> None:
    """The kernel's clock is a number of 8 bytes."""
    memory = MemoryDebugger()
    memory.write_number(0x9000, 1 << 40)
    assert stopped(memory).ticks() == 1 << 40


def test_the_instruction_before_is_found() -> None:
    """Code is read from the start of the function: instructions have different lengths."""
    memory = MemoryDebugger()
    # push %rbx; lock andb $0xbf,0x2(%rdi); nop; ret
    memory.write(0x2000, bytes.fromhex("53 f0 80 67 02 bf 90 c3"))
    kernel = stopped(memory)
    assert kernel.instruction_before(0x2006) == 0x2001
    assert kernel.instruction_before(0x2007) == 0x2006
