"""Prints the conversions between the two conversions of a state, stored and working."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iopermit.translate.native.codegen.llvm_types import (
    I64,
    STATE,
    VOID,
    LlvmValue,
    new_function,
    number,
)
from iopermit.translate.native.packing import WORD, Packing

if TYPE_CHECKING:
    from llvmlite import ir as llvm


class PackingCode:
    """Emits ``unpack(stored, working)`` and ``pack(working, stored)``."""

    def __init__(self, module: llvm.Module, packing: Packing) -> None:
        """Emit both."""
        self.module, self.packing = module, packing
        self._unpack()
        self._pack()

    def _unpack(self) -> None:
        self.unpack, builder = new_function(self.module, "unpack", VOID, STATE, STATE)
        stored, working = self.unpack.args
        zero = number(0)
        for word in range(self.packing.words):
            builder.store(zero, builder.gep(working, [number(word)]))
        position = 0
        for part in self.packing.parts:
            index, shift = divmod(position, WORD)
            value = builder.lshr(
                builder.load(builder.gep(stored, [number(index)]), typ=I64), number(shift)
            )
            if shift + part.width > WORD:
                high = builder.load(builder.gep(stored, [number(index + 1)]), typ=I64)
                value = builder.or_(value, builder.shl(high, number(WORD - shift)))
            mask = (1 << part.width) - 1
            builder.store(
                builder.and_(value, number(mask)), builder.gep(working, [number(part.word)])
            )
            position += part.width
        if not self.packing.idle_stored:
            self._idle(builder, working)
        builder.ret_void()

    def _idle(self, builder: llvm.IRBuilder, working: LlvmValue) -> None:
        """Write the constant records of the idle tasks."""
        for (record, slot, word), value in self.packing.idle_words().items():
            index = self.packing.word(record, slot, word)
            builder.store(number(value), builder.gep(working, [number(index)]))

    def _pack(self) -> None:
        self.pack, builder = new_function(self.module, "pack", VOID, STATE, STATE)
        working, stored = self.pack.args
        words: list[LlvmValue] = [number(0)] * (self.packing.stored_words + 1)
        position = 0
        for part in self.packing.parts:
            index, shift = divmod(position, WORD)
            value = builder.load(builder.gep(working, [number(part.word)]), typ=I64)
            words[index] = builder.or_(words[index], builder.shl(value, number(shift)))
            if shift + part.width > WORD:
                words[index + 1] = builder.or_(
                    words[index + 1], builder.lshr(value, number(WORD - shift))
                )
            position += part.width
        for index in range(self.packing.stored_words):
            builder.store(words[index], builder.gep(stored, [number(index)]))
        builder.ret_void()
