"""Finds port accesses in code before Unicorn executes it, so that it stops in front of them.

Unicorn lets every IN and OUT pass and does not stop at them. It does report each block of code
that it has translated before executing it; the port accesses found in the block become exits.
"""

from __future__ import annotations

import capstone

from iopermit.machine.io_instruction import CANDIDATE, MAX_LENGTH, decode


class CodeScanner:
    """Disassembles blocks of code, as far as they can have port accesses."""

    def __init__(self) -> None:
        """Prepare both modes."""
        self._disassemblers = {
            64: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64),
            32: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32),
        }

    def port_accesses(self, code: bytes, address: int, bits: int) -> list[int]:
        """Return the addresses of IN, OUT, INS and OUTS in a block that begins at `address`."""
        if CANDIDATE.search(code) is None:
            return []
        found = []
        for start, size, _, _ in self._disassemblers[bits].disasm_lite(code, address):
            offset = start - address
            instruction = decode(code[offset : offset + min(size, MAX_LENGTH)], bits)
            if instruction is not None and instruction.width:
                found.append(start)
        return found
