"""Obligations on calls: what the rest of the kernel must call, looked for in its object code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import capstone
from capstone import x86_const as x86

from iopermit.kernel.conformance.broken import BrokenRule
from iopermit.kernel.image.dwarf import inlined_into
from iopermit.kernel.image.objects import ObjectFile, Symbol, read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


@dataclass(frozen=True)
class Obligation:
    """Something that functions have to call.

    Attributes:
        what: when that is.
        object: the object's name, with its directory.
        callers: functions, of which all that exist in the object have to make the call.
        callees: what each has to call or to have inlined: one of these.
    """

    what: str
    object: str
    callers: tuple[str, ...]
    callees: tuple[str, ...]


OBLIGATIONS: Final = (
    Obligation(
        "a context switch", "arch/x86/kernel/process_64.o", ("__switch_to",), ("__switch_to_xtra",)
    ),
    Obligation(
        "the exit to user mode",
        "kernel/entry/common.o",
        ("syscall_exit_to_user_mode", "irqentry_exit_to_user_mode"),
        ("native_tss_update_io_bitmap", "tss_update_io_bitmap"),
    ),
    Obligation(
        "the set-up of a CPU",
        "arch/x86/kernel/cpu/iopermit_cpu.o",
        ("cpu_init_exception_handling",),
        ("tss_setup_io_bitmap",),
    ),
    Obligation("the end of a task", "kernel/exit.o", ("do_exit",), ("exit_thread",)),
    Obligation("a fork", "kernel/fork.o", ("copy_process",), ("copy_thread", "copy_thread_tls")),
    Obligation("a fork that fails", "kernel/fork.o", ("copy_process",), ("exit_thread",)),
)


def check_obligations(objects: Iterable[Path]) -> list[str]:
    """Require the calls; return what could not be checked, because it is not there.

    Raises:
        BrokenRule: a call is missing.
        KernelTreeError: a file is no object.
    """
    paths = list(objects)
    unchecked = []
    for obligation in OBLIGATIONS:
        found = [path for path in paths if path.as_posix().endswith(obligation.object)]
        if not found or not _checked(obligation, found[0]):
            unchecked.append(obligation.what)
    return unchecked


def _checked(obligation: Obligation, path: Path) -> bool:
    """Check an obligation; return whether the object has any of its callers."""
    code = _Code(read_object(path))
    callers = [name for name in obligation.callers if name in code.functions]
    for caller in callers:
        reached = code.reached_from(caller) | inlined_into(path, caller)
        if not reached & set(obligation.callees):
            raise BrokenRule(
                "rule",
                f"{caller}() does not call {obligation.callees[0]}(), which {obligation.what} "
                "has to",
                function=caller,
            )
    return bool(callers)


class _Code:
    """The functions of an object, and whom they call."""

    def __init__(self, file: ObjectFile) -> None:
        self._file = file
        self.functions: dict[str, list[Symbol]] = {}
        """By name; the compiler may have split one into parts."""
        for symbol in file.symbols:
            if symbol.is_function and symbol.section in file.sections:
                self.functions.setdefault(_plain(symbol.name), []).append(symbol)
        self._disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self._disassembler.detail = True
        # There are instructions that it does not know.
        self._disassembler.skipdata = True

    def reached_from(self, name: str) -> set[str]:
        """Return the functions that a function calls, also by local ones."""
        found: set[str] = set()
        waiting = [name]
        while waiting:
            parts = self.functions.get(waiting.pop(), ())
            for callee in {name for part in parts for name in self._called(part)} - found:
                found.add(callee)
                if not any(part.is_global for part in self.functions.get(callee, ())):
                    waiting.append(callee)
        return found

    def _called(self, function: Symbol) -> Iterator[str]:
        assert function.section is not None  # it is defined
        section = self._file.sections[function.section]
        end = function.value + function.size
        inside = [r for r in section.relocations if function.value <= r.offset < end]
        for relocation in inside:
            symbol = self._file.symbols[relocation.symbol]
            # Relative to the end of the four bytes that the linker fills in.
            yield _plain(symbol.name or self._at(symbol.section, relocation.addend + 4))
        filled_in = {relocation.offset for relocation in inside}
        code = section.data[function.value : end]
        for instruction in self._disassembler.disasm(code, function.value):
            # A call inside the section, which the assembler has filled in itself.
            call = instruction.id in {x86.X86_INS_CALL, x86.X86_INS_JMP}
            if call and instruction.address + 1 not in filled_in:
                operand = instruction.operands[0] if instruction.operands else None
                if operand is not None and operand.type == x86.X86_OP_IMM:
                    yield _plain(self._at(function.section, operand.imm))

    def _at(self, section: int | None, address: int) -> str:
        """Return the function at a place; empty if there is none."""
        return next(
            (
                part.name
                for parts in self.functions.values()
                for part in parts
                if (part.section, part.value) == (section, address)
            ),
            "",
        )


def _plain(name: str) -> str:
    """Return a function's name without what the compiler appends to parts and copies of it."""
    return name.partition(".")[0]
