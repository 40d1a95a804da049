"""The tables that the processor consults: GDT, IDT, one TSS per CPU, and the entry points.

Sources: Intel SDM vol. 3, "Segment Descriptors", "64-Bit Mode IDT", "TSS Descriptor in 64-bit
mode". The selectors are those of Linux (arch/x86/include/asm/segment.h), which programs can see.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.machine.memory.paging import KERNEL_BASE
from iopermit.machine.memory.physical import PAGE, RESERVED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.machine.memory.physical import PhysicalMemory

KERNEL_CODE: Final = 0x10
KERNEL_DATA: Final = 0x18
USER_CODE_32: Final = 0x23
USER_DATA: Final = 0x2B
USER_CODE: Final = 0x33
TASK_REGISTER: Final = 0x40
TLS_ENTRIES: Final = range(12, 15)
"""The entries of the GDT that set_thread_area(2) hands out."""

INT80: Final = 0x80
"""The vector of the i386 system call."""

_SEGMENTS: Final = {
    KERNEL_CODE: 0x00AF_9B00_0000_FFFF,
    KERNEL_DATA: 0x00CF_9300_0000_FFFF,
    USER_CODE_32: 0x00CF_FB00_0000_FFFF,
    USER_DATA: 0x00CF_F300_0000_FFFF,
    USER_CODE: 0x00AF_FB00_0000_FFFF,
}
_FROM_USER: Final = (3, 4, INT80)
"""Vectors that user code may raise by INT3, INTO and INT."""
_RSP0: Final = 4
"""Offset of the stack pointer for CPL 0 in a 64-bit TSS."""
_STUB: Final = 16
"""Bytes from one entry point to the next."""
_COMPAT: Final = 64
"""Where the entry point of SYSCALL in compatibility mode is, from that of SYSCALL."""
_HLT: Final = b"\xf4"
_ENTER_USER: Final = bytes.fromhex("8ed8 8ec0 48cf")
"""MOV DS, AX; MOV ES, AX; IRETQ."""


class ProcessorTables:
    """The tables of all CPUs, in the reserved part of physical memory.

    Attributes:
        idt: virtual address of the IDT.
        stubs: virtual address of the entry point of vector 0. Each is a HLT, which leaves the
            virtual machine.
        syscall: virtual address of the entry point of SYSCALL, a HLT too.
        compat_syscall: the same for SYSCALL in compatibility mode, which only AMD has.
        enter_user: virtual address of code that loads DS and ES from AX and does IRETQ.
    """

    def __init__(self, memory: PhysicalMemory, cpus: int, tss_size: int) -> None:
        """Build the tables.

        Args:
            memory: the machine's.
            cpus: how many CPUs there are.
            tss_size: bytes of a TSS.

        Raises:
            ValueError: the tables do not fit in the reserved part of memory.
        """
        self._memory, self._tss_size, self.cpus = memory, tss_size, cpus
        self._end = PAGE
        self.idt = KERNEL_BASE + self._take(PAGE)
        self.stubs = KERNEL_BASE + self._take(PAGE)
        others = self._take(PAGE)
        self.syscall, self.enter_user = KERNEL_BASE + others, KERNEL_BASE + others + _STUB
        self.compat_syscall = self.syscall + _COMPAT
        memory.view[others : others + 1] = _HLT
        memory.view[others + _COMPAT : others + _COMPAT + 1] = _HLT
        memory.view[others + _STUB : others + _STUB + len(_ENTER_USER)] = _ENTER_USER
        self._gdts = [self._take(PAGE) for _ in range(cpus)]
        self._tsss = [self._take(tss_size) for _ in range(cpus)]
        self._stacks = [self._take(PAGE) + PAGE for _ in range(cpus)]
        self._write_idt()
        for cpu in range(cpus):
            self._write_gdt(cpu)

    def gdt(self, cpu: int) -> int:
        """Return the virtual address of a CPU's GDT."""
        return KERNEL_BASE + self._gdts[cpu]

    def stack(self, cpu: int) -> int:
        """Return the virtual address of the end of a CPU's kernel stack."""
        return KERNEL_BASE + self._stacks[cpu]

    def tss(self, cpu: int) -> int:
        """Return the virtual address of a CPU's TSS."""
        return KERNEL_BASE + self._tsss[cpu]

    def tss_image(self, cpu: int) -> NDArray[np.uint8]:
        """Return the memory of a CPU's TSS, for the design to lay out."""
        start = self._tsss[cpu]
        return np.frombuffer(self._memory.view[start : start + self._tss_size], np.uint8)

    def write_stack_pointer(self, cpu: int) -> None:
        """Write RSP0 to a CPU's TSS."""
        struct.pack_into("<Q", self._memory.view, self._tsss[cpu] + _RSP0, self.stack(cpu))

    def write_tls(self, cpu: int, descriptors: list[int]) -> None:
        """Write a task's thread-local segments to the GDT of a CPU."""
        first = self._gdts[cpu] // 8 + TLS_ENTRIES.start
        for number, descriptor in enumerate(descriptors):
            self._memory.words[first + number] = descriptor

    def frame(self, cpu: int, words: int) -> tuple[int, ...]:
        """Return the words that an exception pushed on a CPU's kernel stack, lowest first."""
        end = self._stacks[cpu]
        return struct.unpack_from(f"<{words}Q", self._memory.view, end - 8 * words)

    def write_frame(self, cpu: int, values: tuple[int, ...]) -> int:
        """Write what IRETQ pops to a CPU's kernel stack; return its virtual address."""
        start = self._stacks[cpu] - 8 * len(values)
        struct.pack_into(f"<{len(values)}Q", self._memory.view, start, *values)
        return KERNEL_BASE + start

    def vector(self, rip: int) -> int | None:
        """Return the vector whose entry point was executed, given RIP behind the HLT."""
        offset = rip - 1 - self.stubs
        return offset // _STUB if 0 <= offset < PAGE and not offset % _STUB else None

    def _take(self, size: int) -> int:
        """Return the physical address of memory for whole pages."""
        start = self._end
        self._end += -(-size // PAGE) * PAGE
        if self._end > RESERVED:
            raise ValueError("the tables of so many CPUs do not fit in the reserved memory")
        return start

    def _write_gdt(self, cpu: int) -> None:
        words, base = self._memory.words, self._gdts[cpu] // 8
        for selector, descriptor in _SEGMENTS.items():
            words[base + selector // 8] = descriptor
        address, limit = self.tss(cpu), self._tss_size - 1
        low = limit & 0xFFFF | (address & 0xFF_FFFF) << 16 | 0x8B << 40
        low |= (limit >> 16 & 0xF) << 48 | (address >> 24 & 0xFF) << 56
        words[base + TASK_REGISTER // 8] = low
        words[base + TASK_REGISTER // 8 + 1] = address >> 32

    def _write_idt(self) -> None:
        idt, stubs = self.idt - KERNEL_BASE, self.stubs - KERNEL_BASE
        for vector in range(PAGE // _STUB):
            handler = self.stubs + _STUB * vector
            level = 3 if vector in _FROM_USER else 0
            kind = 0x8E | level << 5
            gate = (
                handler & 0xFFFF | KERNEL_CODE << 16 | kind << 40 | (handler >> 16 & 0xFFFF) << 48
            )
            self._memory.words[idt // 8 + 2 * vector] = gate
            self._memory.words[idt // 8 + 2 * vector + 1] = handler >> 32
            start = stubs + _STUB * vector
            self._memory.view[start : start + 1] = _HLT
