"""Contents: what is equal but for names has the same number, and comes back as it was."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from iopermit.kernel.image import memory_map as at
from iopermit.kernel.state.contents import CPU, HEAP, TASK, Contents, address_of, name

WORDS = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.integers(0, 3).map(lambda n: at.TASK + n * at.TASK_STRIDE + 8),
    st.integers(0, 3).map(lambda n: at.HEAP + n * at.HEAP_STRIDE + 16),
    st.integers(0, 3).map(lambda n: at.PER_CPU + n * at.PER_CPU_STRIDE + 24),
    st.integers(0, 5).map(lambda n: at.SEQUENCE + n),
)


@given(st.lists(WORDS, min_size=1, max_size=8), st.integers(0, 3))
def test_contents_come_back_as_they_were(words: list[int], slot: int) -> None:
    """Reading a component and writing it again changes no byte, whatever it refers to."""
    contents, own = Contents(4, 4, 4), name(TASK, slot)
    data = struct.pack(f"<{len(words)}Q", *words)
    component = contents.component("meta", data, own)
    assert contents.data_of(component, own, address_of) == data


def test_the_same_content_in_two_slots_has_one_number() -> None:
    """A task that points to itself looks the same in every slot."""
    contents = Contents(4, 4, 4)
    numbers = set()
    for slot in range(3):
        data = struct.pack("<QQ", at.TASK + slot * at.TASK_STRIDE + 64, 5)
        numbers.add(contents.component("meta", data, name(TASK, slot)))
    assert len(numbers) == 1


def test_what_is_referred_to_is_a_name_and_no_content() -> None:
    """Two tasks with different heap objects differ in names only."""
    contents = Contents(4, 4, 4)
    one = contents.component("m", struct.pack("<Q", at.HEAP), name(TASK, 0))
    other = contents.component("m", struct.pack("<Q", at.HEAP + at.HEAP_STRIDE), name(TASK, 0))
    assert one[0] == other[0]
    assert (one[1], other[1]) == ((name(HEAP, 0),), (name(HEAP, 1),))


def test_offsets_into_an_object_are_content() -> None:
    """A pointer to the middle of an object is told from one to its start."""
    contents = Contents(4, 4, 4)
    start = contents.component("m", struct.pack("<Q", at.HEAP), name(TASK, 0))
    middle = contents.component("m", struct.pack("<Q", at.HEAP + 8), name(TASK, 0))
    assert start[0] != middle[0]


def test_metadata_is_content() -> None:
    """The same bytes with another mode are another content."""
    contents = Contents(4, 4, 4)
    one = contents.component("user", bytes(8), name(CPU, 0))
    assert one != contents.component("return", bytes(8), name(CPU, 0))
