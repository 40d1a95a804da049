"""Prints the inner loops of the search: expanding states, and keeping the set of visited ones.

The set is split into partitions by hash. A round has two phases without locks: every thread
expands states of its own partition into one buffer per partition, then every thread inserts
what all buffers hold for its own partition. So runs are reproducible for a number of threads.

The functions have C calling convention and work on the records of ``native/shared/record.py``:

``hash_state(stored) -> hash`` gives the hash of a stored state.
``expand_chunk(record, last, number, partitions)`` expands states ``next`` to ``last`` of
partition ``number``; it stops early when a buffer is nearly full.
``insert(record, source, number)`` inserts what partition ``source`` found for ``number``.
``move_entries(record, old, size)`` fills the empty index of a record from a smaller one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from llvmlite import ir as llvm

from iopermit.translate.native.codegen.llvm_types import (
    I8,
    I32,
    I64,
    STATE,
    VOID,
    LlvmValue,
    counted,
    number,
)
from iopermit.translate.native.codegen.loops import Emitter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LOW: Final = 0xFFFFFFFF
_HALF: Final = 32
_AHEAD: Final = 12
"""How many insertions ahead the index is fetched into the cache."""


def emit_engine(module: llvm.Module, expand: llvm.Function, words: int) -> None:
    """Emit all functions for stored states of ``words`` words."""
    _emit_hash_state(module, words)
    _emit_expand_chunk(module, expand, words)
    _emit_insert(module, words)
    _emit_move_entries(module)


def _emit_hash_state(module: llvm.Module, words: int) -> None:
    code = Emitter(module, "hash_state", I64, STATE)
    code.builder.ret(code.hash(code.words(code.arguments[0], words)))


def _emit_expand_chunk(module: llvm.Module, expand: llvm.Function, words: int) -> None:
    """Emit the loop over the states; ``made`` counts what the buffers got, at most, so far."""
    code = Emitter(module, "expand_chunk", VOID, STATE, I64, I64, I64)
    builder, (record, last, own, partitions) = code.builder, code.arguments
    states, buffers, successors, labels, covered, room = (
        code.field(record, name)
        for name in ("states", "buffers", "successors", "labels", "covered", "room")
    )
    keep = _Keeping(code, record, partitions, words)
    alone = builder.icmp_unsigned("==", partitions, number(1))

    def goes_on(index: LlvmValue, made: LlvmValue) -> LlvmValue:
        fits = builder.icmp_unsigned("<=", made, room)
        return builder.and_(fits, builder.icmp_unsigned("<", index, last))

    def expand_one(index: LlvmValue, made: LlvmValue) -> LlvmValue:
        # With one partition the successors are made where they are to be kept.
        out = builder.select(alone, code.state(buffers, made, words), successors)
        count = builder.call(expand, [code.state(states, index, words), out, labels, covered])
        bad = builder.icmp_signed("<", count, number(0))
        with builder.if_then(bad, likely=False):
            _note_violation(code, code.field(record, "found"), index, count)
        count = builder.select(bad, number(0), count)
        parent = builder.trunc(builder.add(builder.mul(index, partitions), own), I32)
        with counted(builder, count) as each:
            keep.keep(code.state(out, each, words), parent)
        return builder.add(made, count)

    first = code.field(record, "next")
    index, made = code.loop(first, number(0), goes_on, expand_one)
    code.set_field(record, "next", index)
    total = builder.add(code.field(record, "transitions"), made)
    code.set_field(record, "transitions", total)
    builder.ret_void()


def _note_violation(code: Emitter, found: LlvmValue, index: LlvmValue, count: LlvmValue) -> None:
    """Count a violating state; keep the lowest one's number plus one."""
    builder = code.builder
    place = builder.mul(builder.sub(number(0), count), number(2))
    total = builder.add(place, number(1))
    code.store(builder.add(code.load(found, total), number(1)), found, total)
    known = code.load(found, place)
    is_first = builder.icmp_unsigned("==", known, number(0))
    code.store(builder.select(is_first, builder.add(index, number(1)), known), found, place)


class _Keeping:
    """Emits what keeps a successor in the buffer of its partition."""

    def __init__(self, code: Emitter, record: LlvmValue, partitions: LlvmValue, words: int) -> None:
        self.code, self.partitions, self.words = code, partitions, words
        self.buffers, self.parents, self.hashes, self.fill, self.entries = (
            code.field(record, name) for name in ("buffers", "parents", "hashes", "fill", "entries")
        )

    def keep(self, state: LlvmValue, parent: LlvmValue) -> None:
        """Emit it for the state at an address."""
        code, builder = self.code, self.code.builder
        values = code.words(state, self.words)
        hashed = code.hash(values)
        low = builder.and_(hashed, number(_LOW))
        target = builder.lshr(builder.mul(low, self.partitions), number(_HALF))
        filled = code.load(self.fill, target)
        place = builder.add(builder.mul(target, self.entries), filled)
        code.write(values, code.state(self.buffers, place, self.words))
        code.store(parent, self.parents, place)
        code.store(hashed, self.hashes, place)
        code.store(builder.add(filled, number(1)), self.fill, target)


def _emit_insert(module: llvm.Module, words: int) -> None:
    """Emit the loop over a buffer; it carries the number of states.

    An entry of the index is the upper half of the hash and the number of the state plus one;
    the uppermost bits of the hash are its place.
    """
    code = Emitter(module, "insert", VOID, STATE, STATE, I64)
    builder, (record, source, own) = code.builder, code.arguments
    offset = builder.mul(own, code.field(source, "entries"))
    buffer = code.state(code.field(source, "buffers"), offset, words)
    parents, hashes = (code.at(code.field(source, name), offset) for name in ("parents", "hashes"))
    amount = code.load(code.field(source, "fill"), own)
    index = _Index(code, record)
    states, links = code.field(record, "states"), code.field(record, "links")
    last = builder.sub(amount, number(1))

    def insert_one(each: LlvmValue, count: LlvmValue) -> LlvmValue:
        ahead = builder.add(each, number(_AHEAD))
        ahead = builder.select(builder.icmp_unsigned("<", ahead, last), ahead, last)
        index.prefetch(code.load(hashes, ahead))
        values = code.words(code.state(buffer, each, words), words)

        def is_known(number_of_state: LlvmValue) -> LlvmValue:
            return _equal(code, values, code.state(states, number_of_state, words))

        def is_new() -> LlvmValue:
            code.write(values, code.state(states, count, words))
            code.store(code.load(parents, each, I32), links, count)
            return builder.add(count, number(1))

        return index.find_or_add(code.load(hashes, each), count, is_known, is_new)

    _, count = code.loop(number(0), code.field(record, "count"), code.below(amount), insert_one)
    code.set_field(record, "count", count)
    builder.ret_void()


def _equal(code: Emitter, values: Sequence[LlvmValue], state: LlvmValue) -> LlvmValue:
    """Return whether the words of a state are these."""
    builder, differences = code.builder, number(0)
    for word, value in enumerate(values):
        difference = builder.xor(value, code.load(state, number(word)))
        differences = builder.or_(differences, difference)
    return builder.icmp_unsigned("==", differences, number(0))


class _Index:
    """Emits accesses to the index of a record."""

    def __init__(self, code: Emitter, record: LlvmValue) -> None:
        self.code, self.builder = code, code.builder
        self.table, self.shift = code.field(record, "table"), code.field(record, "shift")
        self.mask = self.builder.sub(code.field(record, "size"), number(1))

    def place(self, hashed: LlvmValue) -> LlvmValue:
        """Return where a hash belongs."""
        return self.builder.lshr(hashed, self.shift)

    def prefetch(self, hashed: LlvmValue) -> None:
        """Load the cache line where a hash belongs, to be written soon."""
        code, builder = self.code, self.builder
        address = builder.bitcast(code.at(self.table, self.place(hashed)), I8.as_pointer())
        kind = llvm.FunctionType(VOID, [I8.as_pointer(), I32, I32, I32])
        function = builder.module.declare_intrinsic("llvm.prefetch", [I8.as_pointer()], kind)
        builder.call(function, [address, I32(1), I32(3), I32(1)])

    def _probe(self, hashed: LlvmValue) -> tuple[LlvmValue, ...]:
        """Emit the walk over the places for a hash.

        Returns the blocks for a free and for a taken place, the block that goes on to the next
        place, and the place and its entry.
        """
        code, builder, before = self.code, self.builder, self.builder.block
        probe, free, taken, on = (code.block(n) for n in ("probe", "free", "taken", "on"))
        first = self.place(hashed)
        builder.branch(probe)
        builder.position_at_end(probe)
        place = builder.phi(I64)
        place.add_incoming(first, before)
        entry = code.load(self.table, place)
        builder.cbranch(builder.icmp_unsigned("==", entry, number(0)), free, taken)
        builder.position_at_end(on)
        following = builder.and_(builder.add(place, number(1)), self.mask)
        place.add_incoming(following, on)
        builder.branch(probe)
        return free, taken, on, place, entry

    def find_or_add(
        self,
        hashed: LlvmValue,
        count: LlvmValue,
        is_known: Callable[[LlvmValue], LlvmValue],
        is_new: Callable[[], LlvmValue],
    ) -> LlvmValue:
        """Emit the search for a state; return the number of states then."""
        code, builder = self.code, self.builder
        tag = builder.and_(hashed, number(~_LOW & (1 << 64) - 1))
        free, taken, on, place, entry = self._probe(hashed)
        alike, done = code.block("alike"), code.block("done")
        builder.position_at_end(taken)
        # The tag is the same if nothing remains above the lower half.
        rest = builder.xor(entry, tag)
        builder.cbranch(builder.icmp_unsigned("<=", rest, number(_LOW)), alike, on)
        builder.position_at_end(alike)
        builder.cbranch(is_known(builder.sub(rest, number(1))), done, on)
        builder.position_at_end(free)
        grown = is_new()
        code.store(builder.or_(tag, grown), self.table, place)
        builder.branch(done)
        builder.position_at_end(done)
        result = builder.phi(I64)
        result.add_incoming(count, alike)
        result.add_incoming(grown, free)
        return result

    def add(self, entry: LlvmValue) -> None:
        """Emit the writing of an entry to the first free place."""
        free, taken, on, place, _ = self._probe(entry)
        with self.builder.goto_block(taken):
            self.builder.branch(on)
        self.builder.position_at_end(free)
        self.code.store(entry, self.table, place)


def _emit_move_entries(module: llvm.Module) -> None:
    """Emit the move to a larger index; both are walked through in order."""
    code = Emitter(module, "move_entries", VOID, STATE, STATE, I64)
    builder, (record, old, size) = code.builder, code.arguments
    index = _Index(code, record)
    with counted(builder, size) as each:
        entry = code.load(old, each)
        with builder.if_then(builder.icmp_unsigned("!=", entry, number(0))):
            index.add(entry)
    builder.ret_void()
