"""Registers of a stopped context: their order, those with a meaning here, and their bytes."""

from __future__ import annotations

from typing import Final

NAMES: Final = (
    "rip", "rflags", "rsp", "rbp", "rax", "rbx", "rcx", "rdx", "rsi", "rdi",
    "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip
"""What of the processor belongs to the running context, in the order of `Registers`."""
RIP: Final = NAMES.index("rip")
RFLAGS: Final = NAMES.index("rflags")
RSP: Final = NAMES.index("rsp")
RAX: Final = NAMES.index("rax")
ARGUMENTS: Final = tuple(NAMES.index(n) for n in ("rdi", "rsi", "rdx", "rcx", "r8", "r9"))
"""Where the arguments of a function are (System V ABI)."""
INTERRUPTS: Final = 0x200
"""RFLAGS.IF."""
FLAGS: Final = 2
"""RFLAGS with nothing set."""
USER_FLAGS: Final = 0x202
"""RFLAGS of code in user mode: interrupts on."""
READ_ADDRESS, READ_SIZE, READ_VALUE = range(len(NAMES), len(NAMES) + 3)
"""Behind the registers: what the instruction at RIP has read from memory and has still to write
back, if a context stops in between. The size is in bytes; 0 if it has read nothing."""
NOTHING_READ: Final = (0, 0, 0)
SIZE: Final = 8 * (len(NAMES) + len(NOTHING_READ))
"""Bytes of packed registers."""

Registers = tuple[int, ...]
"""The values of `NAMES`, and behind them what was read."""


def pack(registers: Registers) -> bytes:
    """Return registers as bytes, so that they are part of a content."""
    return b"".join(value.to_bytes(8, "little") for value in registers)


def unpack(data: bytes) -> Registers:
    """Return the registers that `pack` packed."""
    return tuple(int.from_bytes(data[i : i + 8], "little") for i in range(0, len(data), 8))
