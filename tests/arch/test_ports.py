"""Tests that the check of all ports at once agrees with the check of one access."""

import itertools
import random
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from iopermit.arch import (
    MAX_LIMIT,
    PORT_COUNT,
    WIDTHS,
    LoadedTss,
    TssFormat,
    as_ranges,
    build_tss,
    format_ranges,
    permitted,
    permitted_ports,
)


@dataclass(frozen=True)
class Access:
    """Everything but the port that decides about an access."""

    width: int
    cpl: int
    iopl: int
    vm86: bool
    protected: bool
    tss: LoadedTss

    def one(self, port: int) -> bool:
        """Ask the scalar check."""
        return permitted(
            port,
            self.width,
            cpl=self.cpl,
            iopl=self.iopl,
            vm86=self.vm86,
            protected=self.protected,
            tss=self.tss,
        )

    def all(self) -> NDArray[np.bool_]:
        """Ask the vectorised check."""
        return permitted_ports(
            self.width,
            cpl=self.cpl,
            iopl=self.iopl,
            vm86=self.vm86,
            protected=self.protected,
            tss=self.tss,
        )


def user_access(width: int, tss: LoadedTss) -> Access:
    """Return an access at CPL 3 with IOPL 0."""
    return Access(width, cpl=3, iopl=0, vm86=False, protected=True, tss=tss)


def random_memory(seed: int, clear_shares: int, size: int = 80000) -> bytes:
    """Return bytes in which about one bit in 2**clear_shares is set."""
    source = random.Random(seed)
    bits = -1
    for _ in range(clear_shares):
        bits &= source.getrandbits(8 * size)
    return (bits & ((1 << 8 * size) - 1)).to_bytes(size, "little")


@st.composite
def tsses(draw: st.DrawFn) -> LoadedTss:
    """Draw a TSS over random memory, with base and limit often at or near each other."""
    limit = draw(
        st.sampled_from([0, 102, 103, 104, 235, 8295, 8296, 8303, 0xFFFF, 70000])
        | st.integers(0, 75000)
    )
    near = st.integers(-3, 3).map(lambda distance: min(max(limit + distance, 0), 0xFFFF))
    base = draw(st.sampled_from([0, 103, 104, 0xFFFF]) | near | st.integers(0, 0xFFFF))
    memory = random_memory(draw(st.integers(0, 2**32)), draw(st.integers(0, 5)))
    tss_format = draw(st.sampled_from(TssFormat))
    return build_tss(tss_format, io_map_base=base, bitmap=memory, bitmap_offset=0, limit=limit)


@st.composite
def accesses(draw: st.DrawFn) -> Access:
    """Draw an access in any mode of the processor."""
    protected, vm86 = draw(st.sampled_from([(True, False), (True, True), (False, False)]))
    levels = st.integers(0, 3)
    cpl, iopl = draw(st.just((3, 0)) | st.tuples(levels, levels))
    return Access(draw(st.sampled_from(WIDTHS)), cpl, iopl, vm86, protected, draw(tsses()))


def interesting_ports(access: Access, seed: int) -> list[int]:
    """Return ports at both ends, around the last one inside the limit, and at random."""
    ports = {*range(20), *range(PORT_COUNT - 20, PORT_COUNT)}
    if access.tss.has_io_map_base:
        last = 8 * (access.tss.limit - access.tss.io_map_base)
        ports.update(range(last - 20, last + 20))
    ports.update(random.Random(seed).sample(range(PORT_COUNT), 100))
    return sorted(port for port in ports if 0 <= port < PORT_COUNT)


@given(accesses(), st.integers(0, 2**32))
def test_scalar_and_vector_forms_agree(access: Access, seed: int) -> None:
    """For any TSS, mode and width, both forms give the same answer at every port looked at."""
    mask = access.all()
    assert mask.shape == (PORT_COUNT,)
    for port in interesting_ports(access, seed):
        assert mask[port] == access.one(port), port


@pytest.mark.parametrize("width", WIDTHS)
def test_forms_agree_on_all_65536_ports(width: int) -> None:
    """Over a random full map both forms agree on every single port, and neither is constant."""
    memory = random_memory(seed=7, clear_shares=2)
    tss = build_tss(TssFormat.TSS64, io_map_base=0x68, bitmap=memory, bitmap_offset=0, limit=8303)
    access = user_access(width, tss)
    mask = access.all()
    assert 0 < mask.sum() < PORT_COUNT
    assert mask.tolist() == [access.one(port) for port in range(PORT_COUNT)]


@pytest.mark.parametrize("limit", [103, 104, 105, 106, 150, 200, 201, MAX_LIMIT])
@pytest.mark.parametrize("held", [0, 103, 104, 105, 106, 200, 201, 202])
def test_forms_agree_on_missing_memory(limit: int, held: int) -> None:
    """The vectorised form raises exactly if the scalar form does for some port."""
    image = (bytes(102) + b"\x68\0" + bytes(100))[:held]
    access = user_access(1, LoadedTss(TssFormat.TSS64, image, limit))

    def scalar_raises(port: int) -> bool:
        try:
            access.one(port)
        except ValueError:
            return True
        return False

    if any(scalar_raises(port) for port in range(0, PORT_COUNT, 8)):
        with pytest.raises(ValueError, match="supply the memory"):
            access.all()
    else:
        assert access.all().shape == (PORT_COUNT,)


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, np.frombuffer])
def test_every_kind_of_buffer_gives_the_same_ports(make: type) -> None:
    """The kind of buffer behind the image does not matter."""
    memory = bytes(102) + b"\x68\0" + b"\xfe\xff\xff"
    image = np.frombuffer(memory, dtype=np.uint8) if make is np.frombuffer else make(memory)
    access = user_access(1, LoadedTss(TssFormat.TSS64, image, 106))
    assert as_ranges(access.all()) == [(0, 0)]
    assert [port for port in range(32) if access.one(port)] == [0]


def test_result_is_fresh() -> None:
    """Changing the returned array does not change the TSS."""
    tss = build_tss(TssFormat.TSS64, io_map_base=104, bitmap=bytes(8192) + b"\xff")
    before = bytes(tss.image)
    user_access(1, tss).all()[:] = False
    assert bytes(tss.image) == before


def test_vector_form_refuses_a_bad_width() -> None:
    """The vectorised form checks its width like the scalar form."""
    with pytest.raises(ValueError, match="width 3"):
        user_access(3, build_tss(TssFormat.TSS64, io_map_base=104)).all()


@given(st.lists(st.booleans(), max_size=200))
def test_ranges_are_maximal_and_cover_the_mask_exactly(bits: list[bool]) -> None:
    """The ranges rebuild the mask, ascend, and never touch each other."""
    ranges = as_ranges(np.array(bits, dtype=np.bool_))
    rebuilt = [any(first <= index <= last for first, last in ranges) for index in range(len(bits))]
    assert rebuilt == bits
    assert all(first <= last for first, last in ranges)
    assert all(following[0] > previous[1] + 1 for previous, following in itertools.pairwise(ranges))


def test_ranges_at_both_ends() -> None:
    """Ranges that begin at port 0 or end at port 65535 are inclusive pairs."""
    mask = np.zeros(PORT_COUNT, dtype=np.bool_)
    mask[[0, 1, 0x80, PORT_COUNT - 1]] = True
    assert as_ranges(mask) == [(0, 1), (128, 128), (65535, 65535)]


def test_ranges_of_a_two_dimensional_mask_are_refused() -> None:
    """A mask of ports has one dimension."""
    with pytest.raises(ValueError, match="one dimension"):
        as_ranges(np.zeros((2, 2), dtype=np.bool_))


@pytest.mark.parametrize(
    ("ranges", "text"),
    [
        ([], "none"),
        ([(128, 128)], "128"),
        ([(5, 6)], "5-6"),
        ([(128, 128), (192, 65535)], "128, 192-65535"),
    ],
)
def test_ranges_as_text(ranges: list[tuple[int, int]], text: str) -> None:
    """Single ports stand alone, runs have a hyphen, and nothing is called none."""
    assert format_ranges(ranges) == text
