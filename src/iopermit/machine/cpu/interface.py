"""The interface of the CPU back ends: run user code until something needs the kernel."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeAlias

RAX, RBX, RCX, RDX, RSI, RDI, RSP, RBP, R8, R9, R10, R11, R12, R13, R14, R15 = range(16)
RIP, RFLAGS, FS_BASE, GS_BASE = range(16, 20)
REGISTER_COUNT: Final = 20

RegisterFile: TypeAlias = "ctypes.Array[ctypes.c_uint64]"

MASK_64: Final = (1 << 64) - 1
MASK_32: Final = (1 << 32) - 1

FLAGS_FIXED: Final = 0x202
"""RFLAGS of user code: the bit that is always set, and IF."""
FLAGS_USER: Final = 0x0024_0DD5 | 1 << 18
"""The flags that user code may change: arithmetic flags, TF, DF, AC, ID."""

IOPL_SHIFT: Final = 12
FLAGS_IOPL: Final = 3 << IOPL_SHIFT

DIVIDE_ERROR, DEBUG, BREAKPOINT, OVERFLOW, INVALID_OPCODE = 0, 1, 3, 4, 6
GENERAL_PROTECTION, PAGE_FAULT, X87_ERROR, SIMD_ERROR = 13, 14, 16, 19


def new_registers() -> RegisterFile:
    """Return registers that are all zero."""
    return (ctypes.c_uint64 * REGISTER_COUNT)()


@dataclass(eq=False)
class UserContext:
    """The user-mode state of a task.

    Attributes:
        bits: 64, or 32 for compatibility mode.
        registers: the general registers, by the indices of this module.
        tls: the descriptors of set_thread_area(2).
        private: the state that only the back end knows: segments, FPU and vector registers.
    """

    bits: int
    registers: RegisterFile = field(default_factory=new_registers)
    tls: list[int] = field(default_factory=lambda: [0, 0, 0])
    private: Any = None


@dataclass(frozen=True, slots=True)
class Syscall:
    """The task executed SYSCALL (64) or INT 0x80 (32)."""

    abi: int


@dataclass(frozen=True, slots=True)
class PortIn:
    """The processor allowed a read of a port; the kernel is to call `finish_in`."""

    port: int
    width: int
    count: int


@dataclass(frozen=True, slots=True)
class PortOut:
    """The processor allowed a write to a port."""

    port: int
    width: int
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CpuFault:
    """The processor raised an exception; RIP is where the manuals say (the instruction)."""

    vector: int
    error: int = 0
    address: int = 0
    """What CR2 holds, for a page fault."""


@dataclass(frozen=True, slots=True)
class Preempted:
    """The budget is used up, or something asked the back end to stop."""


CpuEvent: TypeAlias = Syscall | PortIn | PortOut | CpuFault | Preempted


class PortCheck(Protocol):
    """Tells whether the processor lets user code on a CPU use a port."""

    def __call__(self, cpu: int, port: int, width: int) -> bool:
        """Return whether the access passes."""


class CpuBackend(Protocol):
    """Executes user code at CPL 3, on real page tables, GDT and TSS."""

    name: str

    def new_context(self, bits: int) -> UserContext:
        """Return the state of a fresh program: all registers zero."""

    def copy_context(self, context: UserContext) -> UserContext:
        """Return a copy, for the child of a fork."""

    def save_extended(self, context: UserContext) -> object:
        """Return a copy of the FPU and vector registers."""

    def restore_extended(self, context: UserContext, saved: object) -> None:
        """Bring back what `save_extended` returned."""

    def run(self, cpu: int, context: UserContext, root: int, budget: int | None) -> CpuEvent:
        """Execute user code until an event.

        Args:
            cpu: the virtual CPU, which decides about the TSS.
            context: the task; its registers are up to date afterwards.
            root: physical address of the page tables.
            budget: instructions after which the task is preempted; None: never.
        """

    def finish_in(self, cpu: int, context: UserContext, values: list[int]) -> None:
        """Complete the last PortIn with what the device answered."""

    def set_task_register(self, cpu: int, limit: int) -> None:
        """Let a CPU have the TSS limit that LTR, or a VM exit, would leave in TR."""

    def set_iopl(self, cpu: int, level: int) -> None:
        """Let user code on a CPU run with an IOPL from now on."""

    def flush(self) -> None:
        """Forget what was cached of page tables."""

    def stop(self) -> None:
        """Make `run` return soon; may be called by another thread."""

    def executed(self) -> int | None:
        """Return how many instructions the last `run` counted; None if it does not count."""

    def close(self) -> None:
        """Give host resources back."""
