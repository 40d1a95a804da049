"""Looks at code for Unicorn: where port accesses are, and which exception an instruction raises.

Unicorn lets every IN and OUT pass and does not stop at them. It does report each block of code
that it has translated before executing it; the port accesses found in the block become exits.
"""

from __future__ import annotations

import re
from typing import Final

import capstone

from iopermit.machine.cpu.interface import (
    DIVIDE_ERROR,
    GENERAL_PROTECTION,
    INVALID_OPCODE,
    X87_ERROR,
)
from iopermit.machine.cpu.io_instruction import CANDIDATE, MAX_LENGTH, decode

_DISASSEMBLERS: Final = {
    64: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    32: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32),
}
_VEX: Final = re.compile(rb"[\x26\x2e\x36\x3e\x64-\x67\xf0\xf2\xf3]*[\xc4\xc5\x62]")


def vector_of(code: bytes, bits: int) -> int:
    """Return which exception other than a page fault an instruction has raised.

    Divisions raise #DE; what is undefined, or belongs to extensions that Unicorn lacks, #UD; x87
    instructions #MF; everything else that user code can do raises #GP.
    """
    _, _, mnemonic, _ = next(_DISASSEMBLERS[bits].disasm_lite(code, 0, 1), (0, 0, "", ""))
    if mnemonic in ("div", "idiv", "aam"):
        return DIVIDE_ERROR
    if not mnemonic or mnemonic.startswith("ud") or (mnemonic[0] == "v" and _VEX.match(code)):
        return INVALID_OPCODE
    return X87_ERROR if mnemonic[0] == "f" else GENERAL_PROTECTION


def port_accesses(code: bytes, address: int, bits: int) -> list[int]:
    """Return the addresses of IN, OUT, INS and OUTS in a block that begins at `address`."""
    if CANDIDATE.search(code) is None:
        return []
    found = []
    for start, size, _, _ in _DISASSEMBLERS[bits].disasm_lite(code, address):
        offset = start - address
        instruction = decode(code[offset : offset + min(size, MAX_LENGTH)], bits)
        if instruction is not None and instruction.width:
            found.append(start)
    return found
