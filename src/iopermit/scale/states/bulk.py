"""The native loops over many stored states, callable from Python; they run without its lock."""

from __future__ import annotations

import ctypes
import functools
from typing import TYPE_CHECKING, Any, Final

import llvmlite.binding as llvm
import numpy as np

from iopermit.scale.states.bulk_code import bulk_module
from iopermit.translate.native.code_cache import host_features
from iopermit.translate.native.shared.record import PartitionRecord

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.search.exploration.memory import Words

_LEVEL: Final = 2
"""How much LLVM optimises: there is little code, and all of it is a loop."""
_ADDRESS: Final = ctypes.c_void_p
_NUMBER: Final = ctypes.c_uint64


class BulkFunctions:
    """The functions of :mod:`iopermit.scale.states.bulk_code` for one size of states."""

    def __init__(self, words: int) -> None:
        """Compile them, which takes some hundredths of a second."""
        self.words = words
        self._engine = engine = _engine(words)
        address = engine.get_function_address
        record = ctypes.POINTER(PartitionRecord)
        self._hash = ctypes.CFUNCTYPE(None, _ADDRESS, _NUMBER, _ADDRESS)(address("hash_states"))
        self._mark = ctypes.CFUNCTYPE(None, record, _ADDRESS, _ADDRESS, _NUMBER, _ADDRESS)(
            address("mark_known")
        )
        self._drop = ctypes.CFUNCTYPE(_NUMBER, _ADDRESS, _ADDRESS, _NUMBER, _ADDRESS, _NUMBER)(
            address("drop_repeated")
        )
        self._divide = ctypes.CFUNCTYPE(
            None, _ADDRESS, _ADDRESS, _NUMBER, _NUMBER, _ADDRESS, _ADDRESS
        )(address("divide"))

    def hash_states(self, states: NDArray[np.uint64], hashes: NDArray[np.uint64]) -> None:
        """Write the hash of each state, which is a row of words."""
        self._hash(states.ctypes.data, len(states), hashes.ctypes.data)

    def mark_known(
        self,
        record: PartitionRecord,
        states: NDArray[np.uint64],
        hashes: NDArray[np.uint64],
        marks: NDArray[np.uint8],
    ) -> None:
        """Mark which states of a record are among others; their hashes are given."""
        self._mark(record, states.ctypes.data, hashes.ctypes.data, len(states), marks.ctypes.data)

    def divide(
        self,
        states: NDArray[np.uint64],
        hashes: NDArray[np.uint64],
        shift: int,
        places: NDArray[np.uint64],
        into: NDArray[np.uint64],
    ) -> None:
        """Copy states to where their groups are, each behind those that came before it.

        Args:
            states: what is copied.
            hashes: theirs; the group is the lower half of the hash, shifted.
            shift: by how many bits.
            places: for each group the number of the row for its next state; they are moved on.
            into: as many rows as there are states.
        """
        self._divide(
            states.ctypes.data,
            hashes.ctypes.data,
            len(states),
            shift,
            places.ctypes.data,
            into.ctypes.data,
        )

    def at(self, states: int, amount: int) -> NDArray[np.uint64]:
        """Return so many states at an address, where they are."""
        content = (ctypes.c_uint64 * (amount * self.words)).from_address(states)
        rows: NDArray[np.uint64] = np.ctypeslib.as_array(content).reshape(amount, self.words)
        return rows

    def drop_repeated(self, states: int, hashes: int, amount: int, sent: SentStates) -> int:
        """Move states that are not in the cache to the front, and return how many they are.

        Args:
            states: the address of the states.
            hashes: the address of their hashes, which are moved with them.
            amount: how many there are.
            sent: the cache.
        """
        kept: int = self._drop(states, hashes, amount, sent.address, sent.mask)
        return kept


class SentStates:
    """A cache of states that were handed on: handing them on again would change nothing.

    It has one state for each value of the lower bits of the hash, and compares whole states.
    """

    def __init__(self, bulk: BulkFunctions, bits: int) -> None:
        """Make an empty cache for two to the power of ``bits`` states."""
        self.mask = (1 << bits) - 1
        self._states = np.zeros((1 << bits, bulk.words), np.uint64)
        # An empty place must be equal to no state that belongs there. A place of zeroes is, but
        # for the place of the zeroes themselves: that one gets a state of another place.
        other = np.zeros((2, bulk.words), np.uint64)
        hashes = np.empty(2, np.uint64)
        while True:
            bulk.hash_states(other, hashes)
            places = [int(value) & self.mask for value in hashes]
            if places[0] != places[1]:
                break
            other[1, 0] += np.uint64(1)
        self._states[places[0]] = other[1]
        self.address = self._states.ctypes.data

    @property
    def memory(self) -> int:
        """Bytes of the cache."""
        return self._states.nbytes


@functools.cache
def bulk_functions(words: int) -> BulkFunctions:
    """Return the functions for states of so many words, compiled once."""
    return BulkFunctions(words)


def as_rows(states: Words) -> NDArray[np.uint64]:
    """Return one state as an array with one row."""
    return np.array([states], np.uint64)


def _engine(words: int) -> Any:  # noqa: ANN401 - llvmlite has no annotations
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        opt=_LEVEL, cpu=llvm.get_host_cpu_name(), features=host_features()
    )
    module = llvm.parse_assembly(str(bulk_module(words)))
    options = llvm.create_pipeline_tuning_options(speed_level=_LEVEL)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    engine = llvm.create_mcjit_compiler(module, machine)
    engine.finalize_object()
    return engine
