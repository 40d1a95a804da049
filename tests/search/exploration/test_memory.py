"""Tests of iopermit.search.exploration.memory: what native code and Python share."""

import ctypes
from array import array

import pytest

from iopermit.search.exploration.memory import MappedMemory, address, zeroes


@pytest.mark.parametrize("size", [0, 8, 1 << 12, (1 << 22) + 8])
def test_memory_is_zero_at_first(size: int) -> None:
    """All of a new mapping is 0, however large it is."""
    memory = MappedMemory(size)
    assert memory.size == size
    assert ctypes.string_at(memory.address, size) == bytes(size)


def test_python_and_native_code_see_the_same() -> None:
    """What Python writes is at the address, and what is written there Python reads."""
    memory = MappedMemory(64)
    memory.write(2, array("Q", [7, 8]))
    native = (ctypes.c_uint64 * 8).from_address(memory.address)
    assert list(native) == [0, 0, 7, 8, 0, 0, 0, 0]
    native[3] = 1 << 32 | 5
    assert memory.words(2, 2).tolist() == [7, 1 << 32 | 5]
    assert {memory.half_word(6), memory.half_word(7)} == {1, 5}


@pytest.mark.parametrize("size", [1 << 60, 1 << 70])
def test_too_much_memory_is_an_error_of_its_own(size: int) -> None:
    """Asking for more than there can be raises MemoryError, which the command explains."""
    with pytest.raises(MemoryError):
        MappedMemory(size)


def test_an_array_lies_at_its_address() -> None:
    """The address of an array is that of its first word."""
    words = zeroes(3)
    assert words.tolist() == [0, 0, 0]
    words[0] = 9
    assert ctypes.c_uint64.from_address(address(words)).value == 9
