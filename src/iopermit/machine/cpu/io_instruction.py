"""Decodes the instructions that depend on I/O privilege: IN, OUT, INS, OUTS, CLI, STI.

Source: Intel SDM vol. 2, "Instruction Format" and the pages of these instructions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from iopermit.machine.cpu.interface import (
    FS_BASE,
    GS_BASE,
    MASK_32,
    MASK_64,
    RAX,
    RCX,
    RDI,
    RDX,
    RFLAGS,
    RIP,
    RSI,
    RegisterFile,
)

MAX_LENGTH: Final = 15
"""Bytes of the longest instruction."""

CANDIDATE: Final = re.compile(rb"[\x6c-\x6f\xe4-\xe7\xec-\xef]")
"""What is found in any code that has a port access."""

_SEGMENTS: Final = {0x26: "es", 0x2E: "cs", 0x36: "ss", 0x3E: "ds", 0x64: "fs", 0x65: "gs"}
_REX: Final = range(0x40, 0x50)
_OPERAND_SIZE, _ADDRESS_SIZE, _REPNE, _REP = 0x66, 0x67, 0xF2, 0xF3
_PORT_IN_DX: Final = 0x08
_STRING: Final = range(0x6C, 0x70)
_DIRECT: Final = (*range(0xE4, 0xE8), *range(0xEC, 0xF0))
_CLI, _STI = 0xFA, 0xFB
_DIRECTION: Final = 0x400
"""RFLAGS.DF: string instructions count down."""


@dataclass(frozen=True, slots=True)
class IoInstruction:
    """A decoded instruction.

    Attributes:
        name: `in`, `out`, `ins`, `outs`, `cli` or `sti`.
        length: bytes.
        width: ports of one access: 1, 2 or 4; 0 for CLI and STI.
        immediate: the port, if it is in the instruction; None: in DX.
        repeated: whether RCX counts repetitions.
        address_bits: width of the index and count registers of the string forms.
        segment: the segment override, or "".
    """

    name: str
    length: int
    width: int = 0
    immediate: int | None = None
    repeated: bool = False
    address_bits: int = 64
    segment: str = ""

    def port(self, registers: RegisterFile) -> int:
        """Return the first port of the access."""
        return registers[RDX] & 0xFFFF if self.immediate is None else self.immediate

    def accumulator(self, registers: RegisterFile) -> int:
        """Return what OUT writes."""
        return registers[RAX] & ((1 << 8 * self.width) - 1)

    def set_accumulator(self, registers: RegisterFile, value: int) -> None:
        """Do what IN does to RAX: 32 bits clear the upper half, fewer leave the rest."""
        mask = (1 << 8 * self.width) - 1
        kept = 0 if self.width == 4 else registers[RAX] & ~mask
        registers[RAX] = kept | value & mask

    def memory_operand(self, registers: RegisterFile) -> int:
        """Return the address at which INS writes, or OUTS reads, the next element."""
        offset = registers[self._index] & self._address_mask
        if self.name == "outs" and self.segment in ("fs", "gs"):
            base = FS_BASE if self.segment == "fs" else GS_BASE
            return (offset + registers[base]) & MASK_64
        return offset

    def advance(self, registers: RegisterFile) -> None:
        """Move index, count and RIP of INS or OUTS behind one element."""
        mask, index = self._address_mask, self._index
        step = -self.width if registers[RFLAGS] & _DIRECTION else self.width
        upper = 0 if mask == MASK_32 else ~mask & MASK_64
        registers[index] = registers[index] & upper | (registers[index] + step) & mask
        if not self.repeated:
            registers[RIP] += self.length
            return
        registers[RCX] = registers[RCX] & upper | (registers[RCX] - 1) & mask
        if not registers[RCX] & mask:
            registers[RIP] += self.length

    @property
    def _index(self) -> int:
        return RDI if self.name == "ins" else RSI

    @property
    def _address_mask(self) -> int:
        return (1 << self.address_bits) - 1


def decode(  # noqa: C901, PLR0911, PLR0912 - one branch for each kind of prefix and opcode
    code: bytes, bits: int
) -> IoInstruction | None:
    """Return the instruction at the start of `code`, or None if it is another one.

    Args:
        code: up to 15 bytes.
        bits: 64, or 32 for compatibility mode.
    """
    at, wide, repeated, segment = 0, False, False, ""
    short_address = False
    while at < len(code):
        octet = code[at]
        if octet == _OPERAND_SIZE:
            wide = True
        elif octet == _ADDRESS_SIZE:
            short_address = True
        elif octet in (_REP, _REPNE):
            repeated = True
        elif octet in _SEGMENTS:
            segment = _SEGMENTS[octet]
        else:
            break
        at += 1
    if bits == 64 and at < len(code) and code[at] in _REX:
        at += 1
    if at >= min(len(code), MAX_LENGTH):
        return None
    address_bits = bits // 2 if short_address else bits
    opcode = code[at]
    width = 1 if not opcode & 1 else 2 if wide else 4
    if opcode in (_CLI, _STI):
        return IoInstruction("cli" if opcode == _CLI else "sti", at + 1)
    if opcode in _STRING:
        name = "ins" if opcode & 2 == 0 else "outs"
        return IoInstruction(name, at + 1, width, None, repeated, address_bits, segment)
    if opcode not in _DIRECT:
        return None
    name = "in" if opcode & 2 == 0 else "out"
    if opcode & _PORT_IN_DX:
        return IoInstruction(name, at + 1, width)
    if at + 1 >= len(code):
        return None
    return IoInstruction(name, at + 2, width, code[at + 1])
