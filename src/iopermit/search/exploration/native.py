"""The native functions of a compiled model, called from Python one state at a time."""

from __future__ import annotations

import ctypes
from array import array
from typing import TYPE_CHECKING

from iopermit.search.exploration.memory import Words, address, zeroes
from iopermit.search.exploration.visited import LINK
from iopermit.translate.model.nodes import VERDICTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iopermit.translate.model.initial_state import InitialValues
    from iopermit.translate.native.jit import Compiled


class NativeFunctions:
    """The native functions of a compiled model, callable from Python one state at a time."""

    def __init__(self, compiled: Compiled) -> None:
        """Wrap the addresses."""
        self.compiled = compiled
        self.words = compiled.packing.stored_words
        pointer = ctypes.c_void_p
        address, number = compiled.address, ctypes.c_int64
        self._expand = ctypes.CFUNCTYPE(number, *[pointer] * 4)(address("expand"))
        self._check = ctypes.CFUNCTYPE(number, *[pointer] * 2)(address("check_specification"))
        move = ctypes.CFUNCTYPE(None, pointer, pointer)
        self._canonical, self._pack, self._unpack = (
            move(address(name)) for name in ("canonical_stored", "pack", "unpack")
        )
        self._successors = zeroes((compiled.max_successors + 1) * self.words)
        self._labels = array("I", bytes((compiled.max_successors + 1) * LINK))
        self._covered = array("B", bytes(compiled.coverage.size))

    def pack(self, working: list[int]) -> Words:
        """Return the stored form."""
        words, stored = array("Q", working), zeroes(self.words)
        self._pack(address(words), address(stored))
        return stored

    def stored(self, words: Sequence[int]) -> Words:
        """Return a stored state given by its words."""
        return array("Q", words)

    def unpack(self, stored: Words) -> list[int]:
        """Return the working form."""
        words = zeroes(self.compiled.packing.words)
        self._unpack(address(stored), address(words))
        return words.tolist()

    def canonical(self, stored: Words) -> Words:
        """Return the representative of a state."""
        result = zeroes(self.words)
        self._canonical(address(stored), address(result))
        return result

    def check(self, stored: Words) -> tuple[str, int, int]:
        """Check the specification: return the verdict about a state, CPU and longs concerned."""
        details = zeroes(2)
        verdict = self._check(address(stored), address(details))
        return VERDICTS[verdict], details[0], details[1]

    def successors(self, stored: Words) -> list[tuple[int, Words]]:
        """Return label and state of every transition; none from a violating state."""
        arrays = (stored, self._successors, self._labels, self._covered)
        count = self._expand(*map(address, arrays))
        size = self.words
        return [
            (self._labels[i], self._successors[i * size : (i + 1) * size])
            for i in range(max(0, count))
        ]


def initial_state(native: NativeFunctions, values: InitialValues) -> Words:
    """Return the initial state, renamed if the model renames states."""
    return native.canonical(native.pack(native.compiled.packing.working(values)))
