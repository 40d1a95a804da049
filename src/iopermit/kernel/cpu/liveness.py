"""Which registers kernel code may still read: those it cannot read are no part of a state.

The usual backward analysis (Aho et al., "Compilers", 9.2.5), over the instructions of each
function and across calls: a function reads what its own code reads before writing it, and
keeps the registers that the System V ABI says it keeps. Of a call through a pointer nothing is
known: paravirtual operations have a convention of their own, by which they keep every register
(PV_CALLEE_SAVE_REGS_THUNK in asm/paravirt.h).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import capstone
from capstone import x86_const as x86

from iopermit.kernel.cpu.indirect import indirectly_called
from iopermit.kernel.cpu.registers import INTERRUPTS, NAMES, RFLAGS, Registers
from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iopermit.kernel.image.linker import Function, Image

_FLAGS: Final = 1 << RFLAGS
_STATUS: Final = 0x8D5
"""The arithmetic flags in RFLAGS."""
_COUNT: Final = len(NAMES)
_ALL: Final = (1 << _COUNT) - 1


def _mask(names: Iterable[str]) -> int:
    return sum(1 << NAMES.index(name) for name in names)


_ALWAYS: Final = _mask(("rip", "rsp"))
_SAVED: Final = _mask(("rbx", "rbp", "r12", "r13", "r14", "r15"))
_CLOBBERED: Final = _ALL & ~_SAVED & ~_ALWAYS
_RESULT: Final = _mask(("rax", "rdx"))
_ARGUMENTS: Final = _mask(("rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax"))
_UNKNOWN: Final = _ARGUMENTS | _SAVED
_OVERWRITES: Final = frozenset(
    getattr(x86, f"X86_INS_{name}")
    for name in (
        *("MOV", "MOVABS", "MOVZX", "MOVSX", "MOVSXD", "LEA", "POP"),
        *("ADD", "SUB", "AND", "OR", "XOR", "NEG", "NOT", "INC", "DEC", "CALL", "XADD", "XCHG"),
        *("SHL", "SHR", "SAR", "IMUL", "BSWAP", "CDQE", "CQO", "CDQ"),
    )
)
"""Instructions that overwrite the register they write to, whatever it and the flags are. All
others are taken to keep it: CMOVcc, BSF, BSR, CMPXCHG, what is not known (SDM vol. 2)."""
_SETS_FLAGS: Final = frozenset(
    getattr(x86, f"X86_INS_{name}")
    for name in ("ADD", "SUB", "AND", "OR", "XOR", "NEG", "CMP", "TEST", "XADD")
)
"""Instructions that overwrite all arithmetic flags. INC keeps CF, a shift by CL may keep all."""
_SHORT: Final = 2
"""Letters in the names of the oldest registers and their parts: ax, al, si."""


@dataclass
class _Instruction:
    reads: int
    writes: int
    following: list[int]
    """Addresses that may be executed next in the same function."""
    callee: int | None = None
    """What it calls; 0 if that is not known."""
    leaves: int | None = None
    """What is read after it leaves the function without a call, if it does."""
    jumps_to: int | None = None
    """The function that a tail call jumps to."""


class Liveness:
    """The registers that may be read from each instruction on."""

    def __init__(self, image: Image) -> None:
        """Analyse the image's functions when they are asked about."""
        self._image = image
        self._disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
        self._disassembler.detail = True
        self._code: dict[int, dict[int, _Instruction]] = {}
        self._entry: dict[int, int] = {}
        self._live: dict[int, int] = {}
        self._stable: set[int] = set()
        self._masks: dict[int, int] = {}
        self._indirect = indirectly_called(image)
        """Functions whose callers may have kept anything in any register."""

    def clean(self, registers: Registers) -> Registers:
        """Return registers with 0 in those that cannot be read any more."""
        live = self.live(registers[0])
        cleaned = [value if live >> n & 1 else 0 for n, value in enumerate(registers[:_COUNT])]
        if not live & _FLAGS:
            cleaned[RFLAGS] = registers[RFLAGS] & INTERRUPTS | 2
        return (*cleaned, *registers[_COUNT:])

    def with_junk(self, registers: Registers, junk: int) -> Registers:
        """Return registers with something else in those that cannot be read any more."""
        live = self.live(registers[0])
        read = registers[_COUNT:]
        changed = [v if live >> n & 1 else junk + n for n, v in enumerate(registers[:_COUNT])]
        changed[RFLAGS] = registers[RFLAGS] ^ (0 if live & _FLAGS else _STATUS)
        return (*changed, *read)

    def disabling_interrupts(self) -> list[int]:
        """Return the addresses of the image's CLI and POPF instructions."""
        wanted = {x86.X86_INS_CLI, x86.X86_INS_POPF, x86.X86_INS_POPFQ}
        found = []
        for function in self._image.functions:
            start = function.start - at.IMAGE
            code = self._image.code[start : start + function.size]
            found += [
                i.address for i in self._disassembler.disasm(code, function.start) if i.id in wanted
            ]
        return found

    def live(self, address: int) -> int:
        """Return the registers that may be read from an instruction on, as bits."""
        function = self._image.function_at(address)
        if function is None:
            # The host's functions return to their callers, which expect no flags of a call.
            return _UNKNOWN | _ALWAYS if at.HOST <= address < at.MISSING else _ALL
        if function.start not in self._stable:
            self._solve(function)
        return self._live.get(address, _ALL)

    def _solve(self, function: Function) -> None:
        """Find the smallest solution for a function and everything that it calls."""
        involved = self._reach(function)
        changed = True
        while changed:
            changed = False
            for start in involved:
                changed |= self._iterate(start)
        self._stable.update(involved)

    def _reach(self, function: Function) -> list[int]:
        found: list[int] = []
        waiting = [function]
        while waiting:
            one = waiting.pop()
            if one.start in found or one.start in self._stable:
                continue
            found.append(one.start)
            for instruction in self._decoded(one).values():
                for target in (instruction.callee, instruction.jumps_to):
                    callee = self._image.function_at(target) if target else None
                    if callee is not None:
                        waiting.append(callee)
        return found

    def _iterate(self, start: int) -> bool:
        code, live = self._code[start], self._live
        changed = False
        for address in sorted(code, reverse=True):
            instruction = code[address]
            after = 0
            for following in instruction.following:
                after |= live.get(following, 0)
            if instruction.leaves is not None:
                after |= instruction.leaves
            if instruction.jumps_to is not None:
                after |= self._entry_of(instruction.jumps_to) | _SAVED
            before = after & ~instruction.writes | instruction.reads | _ALWAYS
            if instruction.callee is not None:
                before = after & ~_CLOBBERED | self._entry_of(instruction.callee) | _ALWAYS
                before |= instruction.reads
                if not instruction.callee:
                    before = _ALL
            if before != live.get(address, 0):
                live[address] = before
                changed = True
        self._entry[start] = live.get(start, 0)
        return changed

    def _entry_of(self, address: int) -> int:
        if not address or at.HOST <= address < at.PER_CPU:
            return _UNKNOWN
        function = self._image.function_at(address)
        if function is None or function.start != address:
            return _UNKNOWN
        return self._entry.get(address, 0)

    # Decoding.

    def _decoded(self, function: Function) -> dict[int, _Instruction]:
        if function.start not in self._code:
            start = function.start - at.IMAGE
            code = self._image.code[start : start + function.size]
            instructions = self._disassembler.disasm(code, function.start)
            self._code[function.start] = {
                i.address: self._instruction(i, function) for i in instructions
            }
        return self._code[function.start]

    def _instruction(self, i: Any, function: Function) -> _Instruction:  # noqa: ANN401 - capstone
        read, written = i.regs_access()
        reads, writes = self._bits(read), self._bits(written, whole=True)
        if i.id not in _OVERWRITES:
            # Such as CMOVcc, which keeps its destination if the condition is false.
            writes &= _FLAGS
        if i.id not in _SETS_FLAGS:
            writes &= ~_FLAGS
        following = i.address + i.size
        if i.id == x86.X86_INS_CALL:
            return _Instruction(reads, 0, [following], callee=_immediate(i) or 0)
        if i.group(x86.X86_GRP_RET):
            unknown = function.start in self._indirect
            return _Instruction(reads, writes, [], leaves=_ALL if unknown else _RESULT | _SAVED)
        if i.group(x86.X86_GRP_JUMP):
            return self._jump(i, reads, function)
        if i.id == x86.X86_INS_UD2:
            # WARN() or BUG(): execution ends there.
            return _Instruction(0, 0, [])
        if i.id == x86.X86_INS_HLT:
            return _Instruction(_ALL, 0, [following])
        return _Instruction(reads, writes, [following])

    def _jump(self, i: Any, reads: int, function: Function) -> _Instruction:  # noqa: ANN401 - capstone
        target, following = _immediate(i), i.address + i.size
        if target is None:
            return _Instruction(_ALL, 0, [])
        onwards = [] if i.id == x86.X86_INS_JMP else [following]
        if function.start <= target < function.start + function.size:
            return _Instruction(reads, 0, [*onwards, target])
        other = self._image.function_at(target)
        if (other is not None and other.start == target) or target >= at.HOST:
            return _Instruction(reads, 0, onwards, jumps_to=target)
        # Into the middle of another function or section (.altinstr_aux): anything may be read.
        return _Instruction(_ALL, 0, onwards)

    def _bits(self, registers: Iterable[int], *, whole: bool = False) -> int:
        """Return registers as bits; `whole`: only those that are overwritten completely."""
        bits = 0
        for register in registers:
            name = self._disassembler.reg_name(register)
            number = _number(name)
            if number is not None and not (whole and _partial(name)):
                bits |= 1 << number
        return bits


def _immediate(i: Any) -> int | None:  # noqa: ANN401 - capstone has no annotations
    operand = i.operands[0] if i.operands else None
    return operand.imm if operand is not None and operand.type == x86.X86_OP_IMM else None


def _number(name: str) -> int | None:
    """Return the index of the register that a name is a part of."""
    if name in {"rflags", "eflags"}:
        return RFLAGS
    if name[0] == "r" and name[1:2].isdigit():
        name = name.rstrip("dwb")
    elif name in {"spl", "bpl", "sil", "dil"}:
        name = "r" + name[:2]
    elif len(name) == _SHORT and name[1] in "lh":
        name = f"r{name[0]}x"
    elif name[0] == "e" or len(name) == _SHORT:
        name = "r" + name[-2:]
    return NAMES.index(name) if name in NAMES else None


def _partial(name: str) -> bool:
    """Return whether writing the register leaves other bits as they were."""
    if name in {"rflags", "eflags"}:
        return False
    if name[0] == "r" and name[1:2].isdigit():
        return name[-1] in "wb"
    # Writing 32 bits clears the upper half (SDM vol. 1, "General-Purpose Registers").
    return name[0] not in "re"
