"""Obligations on calls: what the rest of the kernel must call, looked for in its object code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import capstone
from capstone import x86_const as x86

from iopermit.kernel.conformance.broken import BrokenRule
from iopermit.kernel.image.dwarf import inlined_into
from iopermit.kernel.image.objects import ObjectFile, Symbol, read_object

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


Place = tuple[str, str]
"""An object's name, with its directory, and a function that it may define."""


@dataclass(frozen=True)
class Obligation:
    """Something that functions have to call.

    Attributes:
        what: when that is.
        callers: functions that have to make the call, by generations of the kernel: the first place
            that a tree has counts.
        callees: what has to be called or to be inlined: one of these.
        wanted: functions without any of which there is nothing to call.
        executed: a function of the shim that, if it calls the second one, executes all of it.
        shown: what the first one of the callees is called in messages, if that is no function.
    """

    what: str
    callers: tuple[Place, ...]
    callees: tuple[str, ...]
    wanted: tuple[Place, ...] = ()
    executed: tuple[Place, str] | None = None
    shown: str = ""

    @property
    def called(self) -> str:
        """What has to be called, for messages."""
        return self.shown or f"{self.callees[0]}()"


_PROCESS: Final = "arch/x86/kernel/process_64.o"
_ENTRY: Final = "kernel/entry/common.o"
_OLD_ENTRY: Final = "arch/x86/entry/iopermit_entry.o"
_SYSTEM_CALL: Final = "arch/x86/entry/syscall_64.o"
_CPU: Final = "arch/x86/kernel/cpu/iopermit_cpu.o"
_UPDATE: Final = ("native_tss_update_io_bitmap", "tss_update_io_bitmap")
_UPDATED: Final = tuple(("arch/x86/kernel/process.o", name) for name in _UPDATE)
"""Where the switch does all the work, there is no such function."""
_PARAVIRT: Final = "pv_ops"
_INDIRECT: Final = {2: (b"\xff\x15", 4), 11: (b"\xff\x14\x25", 0)}
"""CALL through memory, relative to RIP or not (SDM vol. 2): by the type of the relocation, the
bytes before the address, and how far behind it the address counts from."""

OBLIGATIONS: Final = (
    Obligation("a context switch", ((_PROCESS, "__switch_to"),), ("__switch_to_xtra",)),
    Obligation(
        "the exit to user mode",
        (
            (_ENTRY, "syscall_exit_to_user_mode"),
            (_SYSTEM_CALL, "do_syscall_64"),
            (_OLD_ENTRY, "do_syscall_64"),
        ),
        # The last one is a global function of old trees, and executed.
        (*_UPDATE, "prepare_exit_to_usermode"),
        wanted=_UPDATED,
    ),
    Obligation(
        "the exit of an interrupt to user mode",
        (
            (_ENTRY, "irqentry_exit_to_user_mode"),
            (_ENTRY, "irqentry_exit"),
            (_OLD_ENTRY, "prepare_exit_to_usermode"),
        ),
        _UPDATE,
        wanted=_UPDATED,
    ),
    Obligation(
        "the set-up of a CPU",
        ((_CPU, "cpu_init_exception_handling"), (_CPU, "cpu_init")),
        ("tss_setup_io_bitmap",),
        executed=((_CPU, "iopermit_bring_up"), "cpu_init"),
    ),
    Obligation("the end of a task", (("kernel/exit.o", "do_exit"),), ("exit_thread",)),
    Obligation("a fork", (("kernel/fork.o", "copy_process"),), ("copy_thread", "copy_thread_tls")),
    Obligation("a fork that fails", (("kernel/fork.o", "copy_process"),), ("exit_thread",)),
)


def check_obligations(objects: Iterable[Path], operation: int | None = None) -> list[str]:
    """Require the calls; return what could not be checked, because it is not there.

    Args:
        objects: the tree's objects.
        operation: where in `pv_ops` the paravirtual operation is that tells the hypervisor of the
            map: code that has to update the TSS has to call it. None: there is no hypervisor.

    Raises:
        BrokenRule: a call is missing.
        KernelTreeError: a file is no object.
    """
    tree = _Objects(list(objects))
    owed = [one for one in OBLIGATIONS if tree.owes(one)]
    if operation is not None:
        owed = [_through(one, operation) for one in owed]
    return [one.what for one in owed if not _checked(one, tree)]


def _through(obligation: Obligation, operation: int) -> Obligation:
    """Return an obligation in which the TSS is updated through a paravirtual operation."""
    if _UPDATE[0] not in obligation.callees:
        return obligation
    others = tuple(name for name in obligation.callees if name not in _UPDATE)
    through = _operation(operation)
    shown = f"the operation pv_ops.cpu.update_io_bitmap ({through})"
    return replace(obligation, callees=(through, *others), shown=shown)


def _operation(offset: int) -> str:
    """Return the name by which a call through a place in `pv_ops` is looked for."""
    return f"{_PARAVIRT}+{offset:#x}"


def _checked(obligation: Obligation, tree: _Objects) -> bool:
    """Check an obligation; return whether the tree has any of its callers."""
    for place in obligation.callers:
        if not tree.has(place):
            continue
        if not tree.reached_from(place) & set(obligation.callees):
            raise BrokenRule(
                "rule",
                f"{place[1]}() does not call {obligation.called}, which {obligation.what} has to",
                function=place[1],
            )
        return True
    return False


class _Objects:
    """The objects of a tree, each read when it is asked about."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self._read: dict[Path, _Code] = {}

    def owes(self, obligation: Obligation) -> bool:
        """Return whether there is anything to be called, by code that is not executed."""
        if obligation.executed is not None:
            place, called = obligation.executed
            if self.has(place) and called in self.reached_from(place):
                return False
        # Without the object nobody knows.
        wanted = obligation.wanted
        return not wanted or any(self._path(one) is None or self.has(one) for one in wanted)

    def has(self, place: Place) -> bool:
        """Return whether an object defines a function."""
        path = self._path(place)
        return path is not None and place[1] in self._code(path).functions

    def reached_from(self, place: Place) -> set[str]:
        """Return the functions that a function calls, also by local ones, or has inlined."""
        path = self._path(place)
        assert path is not None  # it has the function
        return self._code(path).reached_from(place[1]) | inlined_into(path, place[1])

    def _path(self, place: Place) -> Path | None:
        return next((p for p in self._paths if p.as_posix().endswith(place[0])), None)

    def _code(self, path: Path) -> _Code:
        if path not in self._read:
            self._read[path] = _Code(read_object(path))
        return self._read[path]


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
            if symbol.name == _PARAVIRT and relocation.type in _INDIRECT:
                opcode, behind = _INDIRECT[relocation.type]
                if section.data[: relocation.offset].endswith(opcode):
                    yield _operation(relocation.addend + behind)
                continue
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
