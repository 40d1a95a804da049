"""Prints loops over arrays and over stored states, and the hash of a stored state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llvmlite import ir as llvm

from iopermit.translate.native.codegen.llvm_types import I8, I32, I64, LlvmValue, number
from iopermit.translate.native.shared.record import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_SEED: Final = 0x9E3779B97F4A7C15
_MULTIPLIER: Final = 0xFF51AFD7ED558CCD
_LAST_MULTIPLIER: Final = 0xC4CEB9FE1A85EC53
_SHIFT: Final = 33

_NARROW: Final = {"links": I32, "parents": I32, "labels": I32, "covered": I8}
"""Elements of the arrays that do not have 64 bits."""
_NUMBERS: Final = frozenset({"shift", "size", "count", "next", "transitions", "entries", "room"})
"""The fields of a record that are no addresses."""


class Emitter:
    """Emits one function; loops keep what changes in registers."""

    def __init__(
        self, module: llvm.Module, name: str, result: LlvmValue, *arguments: LlvmValue
    ) -> None:
        # Not `new_function`: two records may be one, and share their arrays.
        self.function = llvm.Function(module, llvm.FunctionType(result, arguments), name)
        self.function.attributes.add("nounwind")
        self.arguments = self.function.args
        self.builder = llvm.IRBuilder(self.function.append_basic_block("entry"))

    def block(self, name: str) -> LlvmValue:
        """Return a new block."""
        return self.function.append_basic_block(name)

    def at(self, pointer: LlvmValue, index: LlvmValue) -> LlvmValue:
        """Return the address of an element of an array."""
        return self.builder.gep(pointer, [index])

    def load(self, pointer: LlvmValue, index: LlvmValue, kind: LlvmValue = I64) -> LlvmValue:
        """Return an element of an array."""
        return self.builder.load(self.at(pointer, index), typ=kind)

    def store(self, value: LlvmValue, pointer: LlvmValue, index: LlvmValue) -> None:
        """Write an element of an array."""
        self.builder.store(value, self.at(pointer, index))

    def field(self, record: LlvmValue, name: str) -> LlvmValue:
        """Return a number of a record, or the array whose address is there."""
        value = self.load(record, number(FIELDS.index(name)))
        if name in _NUMBERS:
            return value
        return self.builder.inttoptr(value, _NARROW.get(name, I64).as_pointer())

    def set_field(self, record: LlvmValue, name: str, value: LlvmValue) -> None:
        """Write a number of a record."""
        self.store(value, record, number(FIELDS.index(name)))

    def state(self, pointer: LlvmValue, index: LlvmValue, words: int) -> LlvmValue:
        """Return the address of a state in an array of them."""
        return self.at(pointer, self.builder.mul(index, number(words)))

    def words(self, state: LlvmValue, words: int) -> list[LlvmValue]:
        """Return all words of a state."""
        return [self.load(state, number(word)) for word in range(words)]

    def write(self, values: Sequence[LlvmValue], state: LlvmValue) -> None:
        """Write all words of a state."""
        for word, value in enumerate(values):
            self.store(value, state, number(word))

    def hash(self, values: Sequence[LlvmValue]) -> LlvmValue:
        """Return a 64-bit hash of words (the finaliser of MurmurHash3 over each)."""
        builder, total = self.builder, number(_SEED)
        for value in values:
            total = builder.mul(builder.xor(total, value), number(_MULTIPLIER))
            total = builder.xor(total, builder.lshr(total, number(_SHIFT)))
        total = builder.mul(total, number(_LAST_MULTIPLIER))
        return builder.xor(total, builder.lshr(total, number(_SHIFT)))

    def loop(
        self,
        first: LlvmValue,
        initial: LlvmValue,
        goes_on: Callable[[LlvmValue, LlvmValue], LlvmValue],
        body: Callable[[LlvmValue, LlvmValue], LlvmValue],
    ) -> tuple[LlvmValue, LlvmValue]:
        """Emit ``body`` for ``first``, ``first + 1`` and so on while ``goes_on``.

        ``body`` also takes a value that starts as ``initial`` and returns the following one.
        Returns both values after the loop.
        """
        builder, before = self.builder, self.builder.block
        head, inside, after = self.block("head"), self.block("body"), self.block("after")
        builder.branch(head)
        builder.position_at_end(head)
        index, value = builder.phi(I64), builder.phi(I64)
        builder.cbranch(goes_on(index, value), inside, after)
        builder.position_at_end(inside)
        following = body(index, value)
        for phi, start, then in (
            (index, first, builder.add(index, number(1))),
            (value, initial, following),
        ):
            phi.add_incoming(start, before)
            phi.add_incoming(then, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        return index, value

    def below(self, end: LlvmValue) -> Callable[[LlvmValue, LlvmValue], LlvmValue]:
        """Return the condition that the index of a loop is below ``end``."""
        return lambda index, _: self.builder.icmp_unsigned("<", index, end)
