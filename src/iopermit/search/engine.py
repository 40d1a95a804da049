"""The inner loops of the search: expanding states and keeping the set of visited ones.

The set is split into partitions by hash. A round has two phases without locks: every thread
expands states of its own partition into one buffer per partition, then every thread inserts
what all buffers hold for its own partition. So runs are reproducible for a number of threads.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numba
import numpy as np
from llvmlite import ir as llvm
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

Compiled: TypeAlias = Any
"""An argument of a compiled function, or what builds its code: numba has no types for them."""

EMPTY = np.uint64(0)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER = np.uint64(0xFF51AFD7ED558CCD)
_SHIFT = np.uint64(33)
_AHEAD = 12
"""How many insertions ahead the table is fetched into the cache."""


def _call_expand(
    _context: Compiled,
    address: Compiled,
    stored: Compiled,
    successors: Compiled,
    labels: Compiled,
    covered: Compiled,
) -> Compiled:
    """Call the native ``expand`` at an address (see :mod:`iopermit.translate.native`)."""
    signature = types.int64(types.uint64, types.uint64, types.uint64, types.uint64, types.uint64)

    def generate(
        _context: Compiled, builder: Compiled, _signature: Compiled, arguments: Compiled
    ) -> Compiled:
        word = llvm.IntType(64)
        function_type = llvm.FunctionType(word, [word] * 4)
        function = builder.inttoptr(arguments[0], cgutils.voidptr_t)
        function = builder.bitcast(function, function_type.as_pointer())
        return builder.call(function, arguments[1:])

    del address, stored, successors, labels, covered
    return signature, generate


def _prefetch(_context: Compiled, address: Compiled) -> Compiled:
    """Ask the processor to load the cache line at an address, to be written soon."""

    def generate(
        _context: Compiled, builder: Compiled, _signature: Compiled, arguments: Compiled
    ) -> Compiled:
        pointer = builder.inttoptr(arguments[0], cgutils.voidptr_t)
        flag = llvm.IntType(32)
        function_type = llvm.FunctionType(llvm.VoidType(), [cgutils.voidptr_t, flag, flag, flag])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        builder.call(function, [pointer, flag(1), flag(3), flag(1)])
        return llvm.Constant(llvm.IntType(64), 0)

    del address
    return types.int64(types.uint64), generate


call_expand: Compiled = intrinsic(_call_expand)
prefetch: Compiled = intrinsic(_prefetch)


@numba.njit(nogil=True, cache=True)
def hash_state(words: Compiled, start: int, count: int) -> Compiled:
    """Return a 64-bit hash of a stored state (the finaliser of MurmurHash3 over each word)."""
    value = np.uint64(0x9E3779B97F4A7C15)
    for index in range(count):
        value = (value ^ words[start + index]) * _MULTIPLIER
        value ^= value >> _SHIFT
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> _SHIFT)


@numba.njit(nogil=True, cache=True)
def expand_chunk(  # noqa: PLR0913, PLR0917 - numba compiles plain arrays, not objects
    expand: Compiled,
    states: Compiled,
    words: int,
    first: int,
    last: int,
    partition: int,
    partitions: int,
    buffers: Compiled,
    parents: Compiled,
    hashes: Compiled,
    fill: Compiled,
    successors: Compiled,
    labels: Compiled,
    covered: Compiled,
    found: Compiled,
) -> Compiled:
    """Expand states ``first`` to ``last`` of a partition into the buffers.

    Returns (next state, transitions); stops early when a buffer is nearly full. ``found`` gets
    the lowest violating state per verdict, plus one.
    """
    room = buffers.shape[1] // words - len(labels)
    out = np.uint64(successors.ctypes.data)
    label_address = np.uint64(labels.ctypes.data)
    covered_address = np.uint64(covered.ctypes.data)
    base = np.uint64(states.ctypes.data)
    transitions = 0
    index = first
    while index < last:
        for target in range(partitions):
            if fill[target] > room:
                return index, transitions
        count = call_expand(
            expand, base + np.uint64(index * words * 8), out, label_address, covered_address
        )
        if count < 0:
            found[-count, 1] += 1
            if found[-count, 0] == 0:
                found[-count, 0] = index + 1
            index += 1
            continue
        transitions += count
        for number in range(count):
            value = hash_state(successors, number * words, words)
            target = int((value & _LOW) % np.uint64(partitions))
            position = fill[target]
            for word in range(words):
                buffers[target, position * words + word] = successors[number * words + word]
            parents[target, position] = index * partitions + partition
            hashes[target, position] = value
            fill[target] = position + 1
        index += 1
    return index, transitions


@numba.njit(nogil=True, cache=True)
def insert(  # noqa: PLR0913, PLR0917 - numba compiles plain arrays, not objects
    buffer: Compiled,
    parents: Compiled,
    hashes: Compiled,
    amount: int,
    words: int,
    table: Compiled,
    size_bits: int,
    states: Compiled,
    links: Compiled,
    count: int,
) -> int:
    """Insert the buffered states that are new; return how many states there are then.

    An entry of the table is the upper half of the hash and the number of the state plus one;
    the uppermost bits of the hash are its place.
    """
    mask = np.uint64(len(table) - 1)
    shift = np.uint64(64 - size_bits)
    base = np.uint64(table.ctypes.data)
    for number in range(amount):
        if number + _AHEAD < amount:
            prefetch(base + ((hashes[number + _AHEAD] >> shift) << np.uint64(3)))
        value = hashes[number]
        tag = value & ~_LOW
        slot = value >> shift
        while True:
            entry = table[slot]
            if entry == EMPTY:
                for word in range(words):
                    states[count * words + word] = buffer[number * words + word]
                links[count] = parents[number]
                count += 1
                table[slot] = tag | np.uint64(count)
                break
            if (entry & ~_LOW) == tag:
                known = (np.int64(entry & _LOW) - 1) * words
                same = True
                for word in range(words):
                    if states[known + word] != buffer[number * words + word]:
                        same = False
                        break
                if same:
                    break
            slot = (slot + np.uint64(1)) & mask
    return count


@numba.njit(nogil=True, cache=True)
def move_entries(old: Compiled, table: Compiled, size_bits: int) -> None:
    """Move all entries to a larger, empty table; both are walked through in order."""
    mask = np.uint64(len(table) - 1)
    shift = np.uint64(64 - size_bits)
    for entry in old:
        if entry != EMPTY:
            slot = entry >> shift
            while table[slot] != EMPTY:
                slot = (slot + np.uint64(1)) & mask
            table[slot] = entry
