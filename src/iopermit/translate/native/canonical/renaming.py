"""Prints the renaming of pointers and numbers by a table, without a branch and without memory.

NameTable (slots plus one, or sequence numbers; 0 is none) are small, so a table from old to new
names fits into one 64-bit word, and finding the first mention of a name among all places is a
comparison of one vector of bytes. Where there are too many names or places, arrays do it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llvmlite import ir as llvm

from iopermit.translate.native.codegen.llvm_types import I8, I32, I64, LlvmValue, number

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iopermit.translate.model.nodes import RecordName
    from iopermit.translate.native.codegen.statements import StatementCode
    from iopermit.translate.native.packing import Place

BITS_PER_NAME = 4
MOST_NAMES = (1 << BITS_PER_NAME) - 1
"""The highest name that a table in one word can have."""
Zones = list[tuple["RecordName", "Place"]]
Mention = tuple["RecordName", int, "Place"]
"""Record, slot and place of one pointer or number."""


class NameTable:
    """A table from old to new names."""

    def __init__(self, code: StatementCode, names: int) -> None:
        """Begin a table of the names 0 to ``names``, in which 0 stays 0."""
        self.code, self.builder, self.is_packed = code, code.builder, names <= MOST_NAMES
        self._packed: LlvmValue = number(0)
        if not self.is_packed:
            self._array = self.builder.alloca(I64, names + 1)
            self.builder.store(number(0), self._array)

    def enter(self, old: LlvmValue, new: LlvmValue) -> None:
        """Give a name its new name, once."""
        if self.is_packed:
            place = self.builder.mul(old, number(BITS_PER_NAME))
            self._packed = self.builder.or_(self._packed, self.builder.shl(new, place))
        else:
            self.builder.store(new, self.builder.gep(self._array, [old]))

    def look_up(self, old: LlvmValue) -> LlvmValue:
        """Return the new name."""
        if self.is_packed:
            place = self.builder.mul(old, number(BITS_PER_NAME))
            return self.builder.and_(self.builder.lshr(self._packed, place), number(MOST_NAMES))
        return self.builder.load(self.builder.gep(self._array, [old]), typ=I64)

    def rewrite(self, mentions: Sequence[Mention]) -> None:
        """Put the new name into every place."""
        rename(self.code, mentions, self.look_up)


def rename(
    code: StatementCode, mentions: Sequence[Mention], new_name: Callable[[LlvmValue], LlvmValue]
) -> None:
    """Give every place the new name of its old one, one word of the state after the other."""
    builder = code.builder
    words: dict[tuple[RecordName, int, int], list[Place]] = {}
    for record, slot, place in mentions:
        words.setdefault((record, slot, place.word), []).append(place)
    for (record, slot, word), places in words.items():
        pointer = code.word_pointer(record, number(slot), word)
        old = builder.load(pointer, typ=I64)
        kept = ~sum(place.mask for place in places) & (1 << I64.width) - 1
        new = builder.and_(old, number(kept))
        for place in places:
            name = new_name(code.get(record, number(slot), place))
            new = builder.or_(new, builder.shl(name, number(place.shift)))
        builder.store(new, pointer)


class FirstMentions:
    """Numbers names from 1 in the order of their first mention."""

    def __init__(self, code: StatementCode, mentions: Sequence[Mention], names: int) -> None:
        """Look at all places, in their order, for the names 1 to ``names``."""
        self.code, self.builder = code, code.builder
        self.values = [code.get(record, number(slot), place) for record, slot, place in mentions]
        widest = max((place.width for _, _, place in mentions), default=1)
        self._lanes = max(8, 1 << (len(mentions) - 1).bit_length())
        self._bits = llvm.IntType(max(I64.width, self._lanes))
        self._name = I8 if widest <= I8.width else I32
        self._kind = llvm.VectorType(self._name, self._lanes)
        vector: LlvmValue = llvm.Constant(self._kind, [0] * self._lanes)
        for lane, value in enumerate(self.values):
            vector = self.builder.insert_element(
                vector, self.builder.trunc(value, self._name), llvm.Constant(I32, lane)
            )
        self._vector = vector
        self._firsts = self._find_firsts(names)

    def _equal(self, name: LlvmValue) -> LlvmValue:
        """Return in which places a name is, one bit per place."""
        builder = self.builder
        undefined = llvm.Constant(self._kind, llvm.Undefined)
        first = builder.trunc(name, self._name)
        one = builder.insert_element(undefined, first, llvm.Constant(I32, 0))
        spread = llvm.Constant(llvm.VectorType(I32, self._lanes), [0] * self._lanes)
        everywhere = builder.shuffle_vector(one, one, spread)
        hits = builder.icmp_unsigned("==", self._vector, everywhere)
        bits = builder.bitcast(hits, llvm.IntType(self._lanes))
        return bits if self._lanes == self._bits.width else builder.zext(bits, self._bits)

    def _number(self, value: int) -> llvm.Constant:
        return llvm.Constant(self._bits, value)

    def _lowest(self, places: LlvmValue) -> LlvmValue:
        """Return the lowest of some places."""
        return self.builder.and_(places, self.builder.sub(self._number(0), places))

    def _find_firsts(self, names: int) -> LlvmValue:
        """Return the places with the first mention of any name, one bit per place."""
        builder, total = self.builder, self._number(0)
        if names <= len(self.values):
            for name in range(1, names + 1):
                total = builder.or_(total, self._lowest(self._equal(number(name))))
            return total
        for position, value in enumerate(self.values):
            own = self._number(1 << position)
            first = builder.and_(
                builder.icmp_unsigned("==", self._lowest(self._equal(value)), own),
                builder.icmp_unsigned("!=", value, number(0)),
            )
            total = builder.or_(total, builder.select(first, own, self._number(0)))
        return total

    def _amount(self, places: LlvmValue) -> LlvmValue:
        amount = self.builder.ctpop(places)
        return amount if amount.type == I64 else self.builder.trunc(amount, I64)

    @property
    def count(self) -> LlvmValue:
        """How many different names there are."""
        return self._amount(self._firsts)

    def new_name(self, name: LlvmValue) -> tuple[LlvmValue, LlvmValue]:
        """Return the number of a name that is not 0, and whether it is mentioned at all."""
        builder = self.builder
        places = self._equal(name)
        lowest = self._lowest(places)
        up_to = builder.or_(lowest, builder.sub(lowest, self._number(1)))
        mentioned = builder.icmp_unsigned("!=", places, self._number(0))
        return self._amount(builder.and_(self._firsts, up_to)), mentioned
