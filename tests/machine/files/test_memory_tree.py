"""Files in memory: contents, sizes, and what they count."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iopermit.machine.clock import Clock
from iopermit.machine.errors import KernelError
from iopermit.machine.files.memory_tree import MemoryFile, MemoryHandle, MemoryStore, seek_in
from iopermit.machine.memory.physical import PAGE, PhysicalMemory


def opened(memory: PhysicalMemory, flags: int = os.O_RDWR) -> MemoryHandle:
    """Return a new file, open."""
    node = MemoryFile(MemoryStore(memory, Clock()), 0o600, 0, 0)
    return MemoryHandle("file", flags, node=node)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("write"), st.integers(0, 3 * PAGE), st.binary(max_size=2 * PAGE)),
            st.tuples(st.just("truncate"), st.integers(0, 4 * PAGE), st.just(b"")),
        ),
        max_size=12,
    )
)
def test_it_has_what_was_written(actions: list[tuple[str, int, bytes]]) -> None:
    """Writes and truncations anywhere leave what they would leave in an array of bytes."""
    handle, model = opened(PhysicalMemory(8 << 20)), bytearray()
    for action, offset, data in actions:
        if action == "write":
            assert handle.pwrite(data, offset) == len(data)
            if data:
                model.extend(bytes(max(offset + len(data) - len(model), 0)))
                model[offset : offset + len(data)] = data
        else:
            handle.truncate(offset)
            model = model[:offset] + bytes(max(offset - len(model), 0))
    size = max(handle.status().size, len(model))
    assert handle.pread(size + 10, 0).ljust(size, b"\0") == bytes(model).ljust(size, b"\0")


def test_memory_is_given_back() -> None:
    """A file that nobody has any more counts nothing."""
    memory = PhysicalMemory(8 << 20)
    before = memory.free_pages
    handle = opened(memory)
    handle.write(bytes(100 * PAGE))
    assert memory.free_pages <= before - 100
    del handle
    assert memory.free_pages == before


def test_a_full_memory_is_told() -> None:
    """ENOSPC, and some pages are left for the program."""
    memory = PhysicalMemory(4 << 20)
    handle = opened(memory)
    handle.write(bytes(200 * PAGE))
    with pytest.raises(KernelError) as caught:
        handle.write(bytes(2000 * PAGE))
    assert caught.value.errno == errno.ENOSPC
    assert memory.free_pages > 10


def test_the_access_mode_counts() -> None:
    """What was opened for reading is not written, and the other way round."""
    memory = PhysicalMemory(4 << 20)
    for flags, action in ((os.O_RDONLY, "write"), (os.O_WRONLY, "read")):
        handle = opened(memory, flags)
        with pytest.raises(KernelError) as caught:
            handle.write(b"x") if action == "write" else handle.read(1)
        assert caught.value.errno == errno.EBADF


def test_appending_goes_to_the_end() -> None:
    """With O_APPEND the position is the end before each write."""
    handle = opened(PhysicalMemory(4 << 20), os.O_RDWR | os.O_APPEND)
    handle.write(b"ab")
    handle.seek(0, os.SEEK_SET)
    handle.write(b"cd")
    assert (handle.pread(10, 0), handle.position) == (b"abcd", 4)


@pytest.mark.parametrize(
    ("offset", "whence", "position"),
    [(3, os.SEEK_SET, 3), (-2, os.SEEK_CUR, 3), (-1, os.SEEK_END, 9), (20, os.SEEK_SET, 20),
     (4, os.SEEK_DATA, 4), (4, os.SEEK_HOLE, 10)],
)  # fmt: skip
def test_positions(offset: int, whence: int, position: int) -> None:
    """In a file of 10 bytes at position 5."""
    assert seek_in(10, 5, offset, whence) == position


@pytest.mark.parametrize(
    ("offset", "whence", "error"),
    [(-1, os.SEEK_SET, errno.EINVAL), (-6, os.SEEK_CUR, errno.EINVAL), (0, 77, errno.EINVAL),
     (10, os.SEEK_DATA, errno.ENXIO), (1 << 63, os.SEEK_SET, errno.EINVAL)],
)  # fmt: skip
def test_wrong_positions(offset: int, whence: int, error: int) -> None:
    """Before the start, beyond the largest, in no data, and by no known way."""
    with pytest.raises(KernelError) as caught:
        seek_in(10, 5, offset, whence)
    assert caught.value.errno == error
