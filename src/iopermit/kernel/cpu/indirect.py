"""Which functions may be called through a pointer, so that the caller's convention is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import capstone
import numpy as np

from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from iopermit.kernel.image.linker import Function, Image

_PARAVIRT: Final = "pv_ops"
"""The table of paravirtual operations: no other pointers are called by another convention."""
_NEAR: Final = (0xE8, 0xE9)
"""CALL and JMP with a displacement of 32 bits (SDM vol. 2)."""
_TWO_BYTES: Final = 0x0F
_CONDITIONAL: Final = tuple(range(0x80, 0x90))
"""Jcc with a displacement of 32 bits, behind 0x0F."""


def indirectly_called(image: Image) -> frozenset[int]:
    """Return the starts of the functions that may be called through a pointer.

    That is each function whose address stands in data, or is an operand of code, and each one that
    such a function jumps to. Bytes that look like an address count, too: a function too many makes
    more states, and no wrong ones. Without paravirtual operations there is none.
    """
    if _PARAVIRT not in image.symbols or not image.functions:
        return frozenset()
    starts = np.unique(np.array([function.start for function in image.functions], np.int64))
    parts = [_words(part).astype(np.int64) for part in (image.code, image.data, image.per_cpu)]
    mentioned = np.concatenate([_operands(image.code), *parts])
    found = set(np.unique(mentioned[np.isin(mentioned, starts)]).tolist())
    return _with_jumps(image, found)


def _words(memory: bytes) -> NDArray[np.uint32]:
    """Return the four bytes from each place on, as a number: all code lies below 4 GiB."""
    size = max(0, len(memory) - 3)
    words = np.zeros(size, np.uint32)
    for byte in range(4 if size else 0):
        part = np.frombuffer(memory, np.uint8, size, byte)
        words |= part.astype(np.uint32) << np.uint32(8 * byte)
    return words


def _operands(memory: bytes) -> NDArray[np.int64]:
    """Return what each four bytes of code name, relative to what follows, if they are no jump's."""
    code, displacements = np.frombuffer(memory, np.uint8), _words(memory)[2:].view(np.int32)
    indices = np.arange(2, 2 + len(displacements))
    opcodes, before = code[indices - 1], code[indices - 2]
    jumps = np.isin(opcodes, _NEAR) | (before == _TWO_BYTES) & np.isin(opcodes, _CONDITIONAL)
    targets = indices + at.IMAGE + 4 + displacements.astype(np.int64)
    # Zeros are padding before a function: no code goes on in the next one behind an operand.
    others: NDArray[np.int64] = targets[~jumps & (displacements != 0)]
    return others


def _with_jumps(image: Image, found: set[int]) -> frozenset[int]:
    """Return functions, and those that they jump to: these return to the same callers."""
    disassembler = capstone.Cs(capstone.CS_ARCH_X86, capstone.CS_MODE_64)
    # There are instructions that it does not know.
    disassembler.skipdata = True
    waiting = list(found)
    while waiting:
        function = image.function_at(waiting.pop())
        if function is None:
            continue
        for target in _jumps(image, function, disassembler):
            # It may lead into the middle: to the part of a function that is seldom executed.
            other = image.function_at(target)
            if other is not None and other.start not in found:
                found.add(other.start)
                waiting.append(other.start)
    return frozenset(found)


def _jumps(image: Image, function: Function, disassembler: capstone.Cs) -> Iterator[int]:
    """Yield where a function jumps to, in itself or not, by an address that the code has."""
    start = function.start - at.IMAGE
    code = image.code[start : start + function.size]
    for _, _, mnemonic, operand in disassembler.disasm_lite(code, function.start):
        if mnemonic.startswith("j") and operand.startswith("0x"):
            yield int(operand, 16)
