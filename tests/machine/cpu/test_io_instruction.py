"""The decoder of port instructions, and where they are in a block of code."""

from __future__ import annotations

import capstone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iopermit.machine.cpu.code_scan import port_accesses, vector_of
from iopermit.machine.cpu.interface import (
    DIVIDE_ERROR,
    GENERAL_PROTECTION,
    INVALID_OPCODE,
    RAX,
    RDX,
    X87_ERROR,
    new_registers,
)
from iopermit.machine.cpu.io_instruction import decode

NAMES = {"in", "out", "insb", "insw", "insd", "outsb", "outsw", "outsd", "cli", "sti"}
DISASSEMBLERS = {
    64: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64),
    32: capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_32),
}


@pytest.mark.parametrize(
    ("code", "name", "width", "length", "immediate", "repeated"),
    [
        ("ec", "in", 1, 1, None, False),
        ("66ed", "in", 2, 2, None, False),
        ("ed", "in", 4, 1, None, False),
        ("48ed", "in", 4, 2, None, False),
        ("e480", "in", 1, 2, 0x80, False),
        ("66e780", "out", 2, 3, 0x80, False),
        ("ee", "out", 1, 1, None, False),
        ("6c", "ins", 1, 1, None, False),
        ("f3666d", "ins", 2, 3, None, True),
        ("f26f", "outs", 4, 2, None, True),
        ("fa", "cli", 0, 1, None, False),
        ("fb", "sti", 0, 1, None, False),
    ],
)
def test_decode(
    code: str, name: str, width: int, length: int, immediate: int | None, repeated: bool
) -> None:
    """Every form is recognised with its width, length, port and repetition."""
    instruction = decode(bytes.fromhex(code), 64)
    assert instruction is not None
    found = (instruction.name, instruction.width, instruction.length, instruction.immediate)
    assert found == (name, width, length, immediate)
    assert instruction.repeated == repeated


@given(st.binary(min_size=1, max_size=15), st.sampled_from([64, 32]))
def test_decode_agrees_with_capstone(code: bytes, bits: int) -> None:
    """What the decoder recognises, and what it does not, is what Capstone says."""
    # Only code with a chance: most bytes are other instructions.
    _, size, mnemonic, _ = next(DISASSEMBLERS[bits].disasm_lite(code, 0, 1), (0, 0, "", ""))
    name = mnemonic.split()[-1] if mnemonic else ""
    mine = decode(code, bits)
    if name in NAMES:
        assert mine is not None
        assert mine.length == size
        assert name.startswith(mine.name)
    elif mnemonic:
        assert mine is None


@given(st.integers(0, 11), st.binary(max_size=6))
def test_decode_agrees_behind_prefixes(opcode: int, prefixes: bytes) -> None:
    """The agreement holds for port instructions behind prefixes of all kinds."""
    opcodes = [*range(0x6C, 0x70), *range(0xE4, 0xE8), *range(0xEC, 0xF0)]
    known = b"\x66\x67\xf2\xf3\x2e\x3e\x64\x65"
    code = bytes(known[p % len(known)] for p in prefixes) + bytes([opcodes[opcode], 0x80])
    found = next(DISASSEMBLERS[64].disasm_lite(code, 0, 1), None)
    mine = decode(code, 64)
    assert mine is not None
    if found is not None:
        assert mine.length == found[1]


def test_accumulator() -> None:
    """IN writes 1 or 2 bytes of RAX and leaves the rest; 4 bytes clear the upper half."""
    registers = new_registers()
    registers[RDX] = 0x1_0080
    for code, expected in (("ec", 0x1122334455667799), ("66ed", 0x1122334455660099)):
        registers[RAX] = 0x1122334455667788
        instruction = decode(bytes.fromhex(code), 64)
        assert instruction is not None
        assert instruction.port(registers) == 0x80
        instruction.set_accumulator(registers, 0x99)
        assert registers[RAX] == expected
    registers[RAX] = 0x1122334455667788
    instruction = decode(b"\xed", 64)
    assert instruction is not None
    assert instruction.accumulator(registers) == 0x55667788
    instruction.set_accumulator(registers, 0x99)
    assert registers[RAX] == 0x99


def test_scan() -> None:
    """Port accesses are found where instructions begin, not inside of others."""
    # mov eax, 0xeeeeeeee; out dx, al; mov cl, 0xec; rep insb; jmp
    code = bytes.fromhex("b8eeeeeeee ee b1ec f36c eb00")
    assert port_accesses(code, 0x1000, 64) == [0x1005, 0x1008]
    assert port_accesses(bytes.fromhex("b8eeeeeeee c3"), 0x1000, 64) == []


@pytest.mark.parametrize(
    ("code", "vector"),
    [
        ("f7f1", DIVIDE_ERROR),
        ("48f7f9", DIVIDE_ERROR),
        ("0f0b", INVALID_OPCODE),
        ("c5f877", INVALID_OPCODE),
        ("06", INVALID_OPCODE),
        ("fa", GENERAL_PROTECTION),
        ("f4", GENERAL_PROTECTION),
        ("0f22d8", GENERAL_PROTECTION),
        ("8b00", GENERAL_PROTECTION),
        ("d8f1", X87_ERROR),
    ],
)
def test_exceptions(code: str, vector: int) -> None:
    """The exception that an instruction raised follows from the instruction."""
    assert vector_of(bytes.fromhex(code), 64) == vector
