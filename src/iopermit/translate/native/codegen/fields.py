"""Reads and writes fields of a state in working form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llvmlite import ir as llvm

from iopermit.translate.native.codegen.llvm_types import (
    I64,
    LlvmValue,
    number,
)
from iopermit.translate.native.packing import WORD

if TYPE_CHECKING:
    from iopermit.translate.model.model import Model
    from iopermit.translate.model.nodes import (
        Field,
        RecordName,
    )
    from iopermit.translate.native.packing import Packing, Place


class FieldCode:
    """Emits accesses to the fields of one state, into one LLVM function."""

    def __init__(
        self, model: Model, packing: Packing, builder: llvm.IRBuilder, state: LlvmValue
    ) -> None:
        """Emit at ``builder``, on the state that ``state`` points to."""
        self.model, self.packing, self.builder, self.state = model, packing, builder, state

    def word_pointer(self, record: RecordName, slot: LlvmValue, word: int) -> LlvmValue:
        """Return the address of a word of a record slot."""
        per_slot = self.packing.words_per_slot[record]
        base = self.packing.base[record] + word
        if isinstance(slot, llvm.Constant):
            return self.builder.gep(self.state, [number(base + slot.constant * per_slot)])
        offset = slot if per_slot == 1 else self.builder.mul(slot, number(per_slot))
        index = self.builder.add(offset, number(base)) if base else offset
        return self.builder.gep(self.state, [index])

    def get(self, record: RecordName, slot: LlvmValue, place: Place) -> LlvmValue:
        """Return the value at a place of a record slot."""
        value = self.builder.load(self.word_pointer(record, slot, place.word), typ=I64)
        shifted = self.builder.lshr(value, number(place.shift)) if place.shift else value
        if place.shift + place.width == WORD:
            return shifted
        return self.builder.and_(shifted, number((1 << place.width) - 1))

    def put(self, record: RecordName, slot: LlvmValue, place: Place, value: LlvmValue) -> None:
        """Write the value at a place of a record slot."""
        pointer = self.word_pointer(record, slot, place.word)
        old = self.builder.and_(
            self.builder.load(pointer, typ=I64), number(~place.mask & (1 << 64) - 1)
        )
        self.builder.store(self._joined(old, value, place), pointer)

    def _joined(self, old: LlvmValue, value: LlvmValue, place: Place) -> LlvmValue:
        """Return a word with a value at a place that is 0."""
        low = (1 << place.width) - 1
        if isinstance(value, llvm.Constant):
            bits = (value.constant & low) << place.shift
            return self.builder.or_(old, number(bits)) if bits else old
        kept = self.builder.and_(value, number(low))
        new = self.builder.shl(kept, number(place.shift)) if place.shift else kept
        return self.builder.or_(old, new)

    def place(self, declared: Field) -> Place:
        """Return where a field lies."""
        return self.packing.places[declared]
