"""Which functions may be called through a pointer, so that the caller's convention is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from iopermit.kernel.image import memory_map as at

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.kernel.image.linker import Image

    Numbers = NDArray[np.int64]

_PARAVIRT: Final = "pv_ops"
"""The table of paravirtual operations: no other pointers are called by another convention."""
_CALL: Final = 0xE8
_JUMP: Final = 0xE9
"""CALL and JMP with a displacement of 32 bits (SDM vol. 2)."""
_SHORT: Final = (0xEB, *range(0x70, 0x80))
"""JMP and Jcc with a displacement of 8 bits."""
_TWO_BYTES: Final = 0x0F
_CONDITIONAL: Final = tuple(range(0x80, 0x90))
"""Jcc with a displacement of 32 bits, behind 0x0F."""


def indirectly_called(image: Image) -> frozenset[int]:
    """Return the starts of the functions that may be called through a pointer.

    That is each function whose address stands in data, or is an operand of code, and each one that
    such a function jumps to. Bytes that look like one count, too: a function too many makes more
    states, and no wrong ones. Without paravirtual operations there is none.
    """
    if _PARAVIRT not in image.symbols or not image.functions:
        return frozenset()
    starts = np.unique(np.array([function.start for function in image.functions], np.int64))
    code = np.frombuffer(image.code, np.uint8)
    places, targets = _relative(image.code)
    opcodes, before = code[places - at.IMAGE - 1], code[places - at.IMAGE - 2]
    jumps = (opcodes == _JUMP) | ((before == _TWO_BYTES) & np.isin(opcodes, _CONDITIONAL))
    operands = targets[~jumps & (opcodes != _CALL)]
    words = [_words(part).astype(np.int64) for part in (image.code, image.data, image.per_cpu)]
    mentioned = np.concatenate([operands, *words])
    found = mentioned[np.isin(mentioned, starts)]
    short, behind = _short_jumps(code, starts)
    onwards = _between(
        starts,
        np.concatenate([places[jumps], short]),
        np.concatenate([targets[jumps], behind]),
    )
    return _with_jumps(set(np.unique(found).tolist()), onwards)


def _words(memory: bytes) -> NDArray[np.uint32]:
    """Return the four bytes from each place on, as a number."""
    size = max(0, len(memory) - 3)
    words = np.zeros(size, np.uint32)
    for byte in range(4 if size else 0):
        part = np.frombuffer(memory, np.uint8, size, byte)
        words |= part.astype(np.uint32) << np.uint32(8 * byte)
    return words


def _relative(code: bytes) -> tuple[Numbers, Numbers]:
    """Return each place in code that can be a displacement of 32 bits, and where it leads."""
    displacements = _words(code)[2:].view(np.int32).astype(np.int64)
    places = np.arange(2, 2 + len(displacements), dtype=np.int64) + at.IMAGE
    return places, places + 4 + displacements


def _short_jumps(code: NDArray[np.uint8], starts: Numbers) -> tuple[Numbers, Numbers]:
    """Return each place in code that can be a short jump to a function, and where it leads.

    The parts of a function are in sections of their own, and the assembler does not know how far
    away these are: no short jump leads into the middle of another function.
    """
    indices = np.flatnonzero(np.isin(code[:-1], _SHORT)).astype(np.int64)
    places = indices + at.IMAGE
    targets = places + 2 + code[indices + 1].view(np.int8).astype(np.int64)
    hit = np.isin(targets, starts)
    return places[hit], targets[hit]


def _between(starts: Numbers, places: Numbers, targets: Numbers) -> dict[int, set[int]]:
    """Return the functions that each function jumps to, by their starts; itself is none of them.

    A jump may lead into the middle: to the part of a function that is seldom executed.
    """
    sources = np.searchsorted(starts, places, "right") - 1
    leads = np.searchsorted(starts, targets, "right") - 1
    inside = (sources >= 0) & (leads >= 0) & (sources != leads)
    pairs = np.unique(np.stack([sources[inside], leads[inside]], axis=1), axis=0)
    found: dict[int, set[int]] = {}
    for source, lead in starts[pairs].tolist():
        found.setdefault(source, set()).add(lead)
    return found


def _with_jumps(found: set[int], onwards: dict[int, set[int]]) -> frozenset[int]:
    """Return functions, and those that they jump to: these return to the same callers."""
    waiting = list(found)
    while waiting:
        for target in onwards.get(waiting.pop(), set()) - found:
            found.add(target)
            waiting.append(target)
    return frozenset(found)
