"""Prints the native loops over many stored states: hash, look up, drop repeated ones, divide.

The functions have C calling convention. Records are those of ``native/shared/record.py``.

``hash_states(states, count, hashes)`` writes the hash of each state.
``mark_known(record, states, hashes, count, marks)`` writes 1 into the byte of each state of the
record that is among these states.
``drop_repeated(states, hashes, count, sent, mask) -> kept`` moves to the front what is not in the
cache ``sent``, and puts it there. The cache has one state for each value of ``hash & mask``.
``divide(states, hashes, count, shift, places, into)`` copies each state to the place of its group,
which is the lower half of its hash, shifted; the place is then that behind it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llvmlite import ir as llvm

from iopermit.translate.native.codegen.llvm_types import (
    BYTES,
    I8,
    I32,
    I64,
    STATE,
    VOID,
    LlvmValue,
    number,
)
from iopermit.translate.native.codegen.loops import Emitter

if TYPE_CHECKING:
    from collections.abc import Sequence

_LOW: Final = 0xFFFFFFFF
_HIGH: Final = 0xFFFFFFFF00000000
_AHEAD: Final = 12
"""How many states ahead the index is fetched into the cache of the processor."""


def bulk_module(words: int) -> llvm.Module:
    """Return a module with the functions for states of so many words."""
    module = llvm.Module("iopermit_bulk")
    _emit_hash_states(module, words)
    _emit_mark_known(module, words)
    _emit_drop_repeated(module, words)
    _emit_divide(module, words)
    return module


def _emit_hash_states(module: llvm.Module, words: int) -> None:
    code = Emitter(module, "hash_states", VOID, STATE, I64, STATE)
    states, count, hashes = code.arguments

    def hash_one(each: LlvmValue, unused: LlvmValue) -> LlvmValue:
        code.store(code.hash(code.words(code.state(states, each, words), words)), hashes, each)
        return unused

    code.loop(number(0), number(0), code.below(count), hash_one)
    code.builder.ret_void()


def _emit_drop_repeated(module: llvm.Module, words: int) -> None:
    """Emit it without branches: what is repeated is overwritten by the next state that is not."""
    code = Emitter(module, "drop_repeated", I64, STATE, STATE, I64, STATE, I64)
    builder, (states, hashes, count, sent, mask) = code.builder, code.arguments

    def keep_new(each: LlvmValue, kept: LlvmValue) -> LlvmValue:
        values = code.words(code.state(states, each, words), words)
        hashed = code.load(hashes, each)
        place = code.state(sent, builder.and_(hashed, mask), words)
        differs = builder.icmp_unsigned("!=", _difference(code, values, place), number(0))
        code.write(values, place)
        code.write(values, code.state(states, kept, words))
        code.store(hashed, hashes, kept)
        return builder.add(kept, builder.zext(differs, I64))

    _, kept = code.loop(number(0), number(0), code.below(count), keep_new)
    builder.ret(kept)


def _emit_divide(module: llvm.Module, words: int) -> None:
    code = Emitter(module, "divide", VOID, STATE, STATE, I64, I64, STATE, STATE)
    builder, (states, hashes, count, shift, places, into) = code.builder, code.arguments

    def copy_one(each: LlvmValue, unused: LlvmValue) -> LlvmValue:
        group = builder.lshr(builder.and_(code.load(hashes, each), number(_LOW)), shift)
        place = code.load(places, group)
        values = code.words(code.state(states, each, words), words)
        code.write(values, code.state(into, place, words))
        code.store(builder.add(place, number(1)), places, group)
        return unused

    code.loop(number(0), number(0), code.below(count), copy_one)
    builder.ret_void()


def _emit_mark_known(module: llvm.Module, words: int) -> None:
    code = Emitter(module, "mark_known", VOID, STATE, STATE, STATE, I64, BYTES)
    record, states, hashes, count, marks = code.arguments
    lookup = _Lookup(code, record, words)
    last = code.builder.sub(count, number(1))

    def mark_one(each: LlvmValue, unused: LlvmValue) -> LlvmValue:
        builder = code.builder
        ahead = builder.add(each, number(_AHEAD))
        ahead = builder.select(builder.icmp_unsigned("<", ahead, last), ahead, last)
        lookup.prefetch(code.load(hashes, ahead))
        values = code.words(code.state(states, each, words), words)
        lookup.mark(values, code.load(hashes, each), marks)
        return unused

    code.loop(number(0), number(0), code.below(count), mark_one)
    code.builder.ret_void()


def _difference(code: Emitter, values: Sequence[LlvmValue], state: LlvmValue) -> LlvmValue:
    """Return what is 0 if the words of a state are these."""
    builder, result = code.builder, number(0)
    for word, value in enumerate(values):
        result = builder.or_(result, builder.xor(value, code.load(state, number(word))))
    return result


class _Lookup:
    """Emits the search for a state in the index of a record, as ``native/engine.py`` fills it.

    An entry is the upper half of the hash and the number of the state plus one; the uppermost bits
    of the hash are its place, and the following places are taken if that one is.
    """

    def __init__(self, code: Emitter, record: LlvmValue, words: int) -> None:
        self.code, self.words = code, words
        self.states, self.table = code.field(record, "states"), code.field(record, "table")
        self.shift = code.field(record, "shift")
        self.mask = code.builder.sub(code.field(record, "size"), number(1))

    def prefetch(self, hashed: LlvmValue) -> None:
        """Load the cache line where a hash belongs, to be read soon."""
        code, builder = self.code, self.code.builder
        place = builder.lshr(hashed, self.shift)
        address = builder.bitcast(code.at(self.table, place), I8.as_pointer())
        kind = llvm.FunctionType(VOID, [I8.as_pointer(), I32, I32, I32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [I8.as_pointer()], kind)
        builder.call(function, [address, I32(0), I32(3), I32(1)])

    def mark(self, values: Sequence[LlvmValue], hashed: LlvmValue, marks: LlvmValue) -> None:
        """Write 1 into the byte of a state, if it is there."""
        code, builder = self.code, self.code.builder
        tag = builder.and_(hashed, number(_HIGH))
        probe, taken, alike, known, on, done = (
            code.block(n) for n in ("probe", "taken", "alike", "known", "on", "done")
        )
        before, first = builder.block, builder.lshr(hashed, self.shift)
        builder.branch(probe)
        builder.position_at_end(probe)
        place = builder.phi(I64)
        place.add_incoming(first, before)
        entry = code.load(self.table, place)
        builder.cbranch(builder.icmp_unsigned("==", entry, number(0)), done, taken)
        builder.position_at_end(taken)
        rest = builder.xor(entry, tag)
        builder.cbranch(builder.icmp_unsigned("<=", rest, number(_LOW)), alike, on)
        builder.position_at_end(alike)
        index = builder.sub(rest, number(1))
        differs = _difference(code, values, code.state(self.states, index, self.words))
        builder.cbranch(builder.icmp_unsigned("==", differs, number(0)), known, on)
        builder.position_at_end(on)
        following = builder.and_(builder.add(place, number(1)), self.mask)
        place.add_incoming(following, on)
        builder.branch(probe)
        builder.position_at_end(known)
        builder.store(I8(1), code.at(marks, index))
        builder.branch(done)
        builder.position_at_end(done)
