"""Tests of the TSS view and of the builder of TSS images."""

import array

import numpy as np
import pytest

from iopermit.arch import MAX_LIMIT, Image, LoadedTss, TssFormat, build_tss

WITH_MAP = (TssFormat.TSS32, TssFormat.TSS64)


@pytest.mark.parametrize("tss_format", WITH_MAP)
def test_io_map_base_is_the_little_endian_word_at_offset_102(tss_format: TssFormat) -> None:
    """In 32-bit and 64-bit TSSs the I/O map base is the word at offset 0x66, low byte first."""
    image = bytearray(104)
    image[0x66], image[0x67] = 0x34, 0x12
    assert LoadedTss(tss_format, image, 103).io_map_base == 0x1234


@pytest.mark.parametrize("tss_format", WITH_MAP)
@pytest.mark.parametrize(("limit", "expected"), [(0, False), (102, False), (103, True)])
def test_io_map_base_exists_from_limit_103_on(
    tss_format: TssFormat, limit: int, *, expected: bool
) -> None:
    """The I/O map base exists only if both its bytes, 102 and 103, are inside the limit."""
    assert LoadedTss(tss_format, bytes(104), limit).has_io_map_base is expected


def test_16_bit_tss_has_no_io_map_base() -> None:
    """A 16-bit TSS has no I/O map base, however large its limit, and asking for it says so."""
    tss = LoadedTss(TssFormat.TSS16, bytes(9000), 8999)
    assert not tss.has_io_map_base
    with pytest.raises(ValueError, match="TSS16 with limit 8999 has no I/O map base"):
        _ = tss.io_map_base


def test_view_sees_later_writes() -> None:
    """A LoadedTss is a view: a write to its memory changes the I/O map base."""
    image = bytearray(104)
    tss = LoadedTss(TssFormat.TSS64, image, 103)
    assert tss.io_map_base == 0
    image[102] = 0x68
    assert tss.io_map_base == 0x68


@pytest.mark.parametrize("make", [bytes, bytearray, memoryview, np.array])
def test_every_kind_of_buffer_reads_alike(make: type) -> None:
    """Bytes, bytearray, memoryview and a numpy uint8 array are all accepted as images."""
    content = bytes(102) + b"\x70\x20"
    image: Image = (
        np.frombuffer(content, dtype=np.uint8).copy() if make is np.array else make(content)
    )
    assert LoadedTss(TssFormat.TSS64, image, 103).io_map_base == 0x2070


@pytest.mark.parametrize(
    "image",
    [
        memoryview(array.array("H", [0] * 104)),
        memoryview(bytes(208))[::2],
        np.zeros((104, 2), dtype=np.uint8),
    ],
    ids=["words", "every second byte", "two dimensions"],
)
def test_other_buffers_are_refused(image: Image) -> None:
    """An image that is not a contiguous row of bytes is refused."""
    with pytest.raises(ValueError, match="contiguous, one-dimensional row of bytes"):
        LoadedTss(TssFormat.TSS64, image, 103)


@pytest.mark.parametrize("limit", [-1, MAX_LIMIT + 1])
def test_limit_out_of_range_is_refused(limit: int) -> None:
    """A limit below 0 or above 4 GiB - 1 cannot be cached in TR and is refused."""
    with pytest.raises(ValueError, match="TSS limit"):
        LoadedTss(TssFormat.TSS64, bytes(104), limit)


@pytest.mark.parametrize("offset", [-1, 103])
def test_reading_outside_the_image_says_what_is_missing(offset: int) -> None:
    """A read that the image does not hold names the bytes, the limit and the image's size."""
    tss = LoadedTss(TssFormat.TSS64, bytes(104), 200)
    expected = rf"TSS bytes {offset}-{offset + 1} \(limit 200\).*image holds 104 bytes"
    with pytest.raises(ValueError, match=expected):
        tss.read_word(offset)


def test_build_places_bitmap_at_the_base_and_ends_the_limit_with_it() -> None:
    """Unless told otherwise, the bitmap lies at the base and the limit is its last byte."""
    tss = build_tss(TssFormat.TSS64, io_map_base=0x68, bitmap=b"\x00" * 8192 + b"\xff" * 8)
    assert tss.limit == 8303
    assert len(tss.image) == 8304
    assert bytes(tss.image[0x68:]) == b"\x00" * 8192 + b"\xff" * 8


def test_build_keeps_the_bitmap_where_it_is_told() -> None:
    """With a bitmap offset, the base field may point elsewhere, as Linux does to deny all."""
    tss = build_tss(TssFormat.TSS32, io_map_base=0x8000, bitmap=b"\xaa", bitmap_offset=104)
    assert (tss.io_map_base, tss.limit, tss.image[104]) == (0x8000, 104, 0xAA)


@pytest.mark.parametrize(
    ("tss_format", "limit"), [(TssFormat.TSS16, 43), (TssFormat.TSS32, 103), (TssFormat.TSS64, 103)]
)
def test_build_without_bitmap_ends_at_the_hardware_tss(tss_format: TssFormat, limit: int) -> None:
    """Without a bitmap the limit is the end of the TSS: 44 bytes for 16-bit, else 104."""
    assert build_tss(tss_format, io_map_base=0xFFFF).limit == limit


def test_build_reaches_a_larger_limit_with_zeros() -> None:
    """An image whose limit lies past the bitmap is filled up to the limit with zeros."""
    tss = build_tss(TssFormat.TSS64, io_map_base=104, bitmap=b"\xff", limit=300)
    assert (tss.limit, len(tss.image), bytes(tss.image[105:])) == (300, 301, bytes(196))


def test_build_writes_the_base_over_an_overlapping_bitmap() -> None:
    """A bitmap that overlaps the base field does not change the base."""
    assert build_tss(TssFormat.TSS64, io_map_base=100, bitmap=b"\xff" * 20).io_map_base == 100


@pytest.mark.parametrize("base", [-1, 0x10000])
def test_build_refuses_a_base_that_is_no_word(base: int) -> None:
    """An I/O map base that does not fit the 16-bit field is refused."""
    with pytest.raises(ValueError, match="I/O map base"):
        build_tss(TssFormat.TSS64, io_map_base=base)
