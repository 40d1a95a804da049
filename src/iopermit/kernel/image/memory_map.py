"""Where everything lies in the emulated machine's memory.

All of it is below 2 GiB, so that the 32-bit relocations of the kernel's code model reach it.
"""

from __future__ import annotations

from typing import Final

PAGE: Final = 0x1000
IMAGE: Final = 0x1000_0000
"""Code and read-only data of the objects; their writable data follow on pages of their own."""
HOST: Final = 0x3000_0000
"""One `ret` for each function that the host implements."""
HOST_STRIDE: Final = 0x10
CACHES: Final = 0x3600_0000
"""Never mapped: addresses of the slab caches, which tell them apart."""
CACHE_STRIDE: Final = 0x1_0000
MISSING: Final = 0x3800_0000
"""Never mapped: addresses of undefined symbols that nobody defines."""
MISSING_STRIDE: Final = 0x1_0000
PER_CPU: Final = 0x4000_0000
"""The CPUs' own areas."""
PER_CPU_STRIDE: Final = 0x10_0000
IDLE: Final = 0x8_0000
"""Bytes from a CPU's GS base to its idle task."""
TASK: Final = 0x5000_0000
"""`struct task_struct` of each task slot."""
TASK_STRIDE: Final = 0x10_0000
STACK: Final = 0x2_0000
"""Bytes from a task's structure to its kernel stack."""
HEAP: Final = 0x6000_0000
"""The heap's slots, each with unmapped pages behind it."""
HEAP_STRIDE: Final = 0x1_0000
SEQUENCE: Final = 0x5E90_0000_0000_0000
"""First value of a 64-bit sequence counter: no other word has such a value, so that words that
hold a sequence number can be told from others."""
SEQUENCES: Final = 1 << 48
"""How many values are sequence numbers: their lower halves can be the same."""


def align(value: int, alignment: int = PAGE) -> int:
    """Return the next multiple of `alignment`."""
    return -(-value // alignment) * alignment
