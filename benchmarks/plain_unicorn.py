"""Runs a program without a C library on Unicorn alone: what `iopermit run` is compared with."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from elftools.elf.elffile import ELFFile
from unicorn import UC_ARCH_X86, UC_HOOK_CODE, UC_HOOK_INSN, UC_MODE_64, Uc
from unicorn.x86_const import UC_X86_INS_SYSCALL, UC_X86_REG_RDI, UC_X86_REG_RSP

if TYPE_CHECKING:
    from pathlib import Path

_PAGE: Final = 4096
_STACK: Final = 0x7FFF0000
_STACK_SIZE: Final = 16 * _PAGE


@dataclass(frozen=True)
class PlainRun:
    """What a run gave."""

    status: int
    """The argument of the program's first system call, taken to be exit_group."""
    seconds: float
    cpu_seconds: float
    instructions: int
    """Executed, if counting was asked for; else 0."""


def run_plainly(program: Path, *, counting: bool = False) -> PlainRun:
    """Execute a static ELF from its entry to its first system call."""
    emulator = Uc(UC_ARCH_X86, UC_MODE_64)
    with program.open("rb") as file:
        elf = ELFFile(file)
        for segment in elf.iter_segments("PT_LOAD"):
            start = segment["p_vaddr"] & -_PAGE
            end = (segment["p_vaddr"] + segment["p_memsz"] + _PAGE - 1) & -_PAGE
            emulator.mem_map(start, end - start)
            emulator.mem_write(segment["p_vaddr"], segment.data())
        entry = elf["e_entry"]
    emulator.mem_map(_STACK - _STACK_SIZE, _STACK_SIZE)
    emulator.reg_write(UC_X86_REG_RSP, _STACK - 64)
    executed = [0]

    def on_instruction(*_: Any) -> None:  # noqa: ANN401 - Unicorn passes what nobody needs
        executed[0] += 1

    if counting:
        emulator.hook_add(UC_HOOK_CODE, on_instruction)
    emulator.hook_add(UC_HOOK_INSN, lambda uc, _: uc.emu_stop(), None, 1, 0, UC_X86_INS_SYSCALL)
    clock, cpu_clock = time.perf_counter(), time.process_time()
    emulator.emu_start(entry, 0)
    seconds, cpu_seconds = time.perf_counter() - clock, time.process_time() - cpu_clock
    return PlainRun(emulator.reg_read(UC_X86_REG_RDI), seconds, cpu_seconds, executed[0])
