"""A CPU in two parts: putting them together gives what was divided."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from iopermit.kernel.image import memory_map as at
from iopermit.kernel.state.contents import CPU, HEAP, Contents, name
from iopermit.kernel.state.divided import DividedCpus

WORDS = st.sampled_from(
    [
        *(0, 5, at.TASK, at.HEAP, at.HEAP + 8, at.HEAP + at.HEAP_STRIDE),
        *(at.PER_CPU, at.PER_CPU + 16, at.PER_CPU + at.PER_CPU_STRIDE, at.SEQUENCE + 3),
    ]
)
MEMORY = st.lists(WORDS, min_size=6, max_size=6)
OWN, LEADING = name(CPU, 0), (name(HEAP, 2),)


def packed(words: list[int]) -> bytes:
    """Return words as they lie in memory."""
    return struct.pack(f"<{len(words)}Q", *words)


@given(MEMORY, MEMORY)
def test_parts_of_two_cpus_make_a_third_one(words: list[int], others: list[int]) -> None:
    """One's rest with the other's TSS is what memory with these bytes is, and nothing else."""
    contents = Contents(4, 4, 4)
    divided = DividedCpus(contents, 16, 32)
    one = contents.component("meta", packed(words), OWN, LEADING)
    other = contents.component("meta", packed(others), OWN, LEADING)
    mixed = packed([*words[:2], *others[2:4], *words[4:]])
    joined = divided.join(divided.divide(one)[0], divided.divide(other)[1])
    assert joined == contents.component("meta", mixed, OWN, LEADING)
    assert divided.join(*divided.divide(one)) == one


@given(MEMORY, st.integers(0, 5))
def test_a_word_belongs_to_one_part(words: list[int], place: int) -> None:
    """Another value in a word of the TSS changes the TSS only, any other word the rest only."""
    contents = Contents(4, 4, 4)
    divided = DividedCpus(contents, 16, 32)
    changed = [*words[:place], 7, *words[place + 1 :]]
    rest, tss = divided.divide(contents.component("meta", packed(words), OWN, LEADING))
    after, tss_after = divided.divide(contents.component("meta", packed(changed), OWN, LEADING))
    is_inside = place in {2, 3}
    assert (rest == after, tss == tss_after) == (is_inside, not is_inside)


def test_metadata_are_of_the_rest() -> None:
    """What the driver knows of a CPU tells its rest apart, and not its TSS."""
    contents = Contents(4, 4, 4)
    divided = DividedCpus(contents, 16, 32)
    one = divided.divide(contents.component("meta", bytes(48), OWN))
    other = divided.divide(contents.component("other", bytes(48), OWN))
    assert (one[0] == other[0], one[1] == other[1]) == (False, True)
