"""Known answers, worked out by hand from the manuals and from the numbers of Linux releases."""

import struct
from collections.abc import Callable

import pytest

from iopermit.arch import (
    ASSUMPTIONS,
    Assumption,
    LoadedTss,
    TssFormat,
    as_ranges,
    build_tss,
    format_ranges,
    permitted,
    permitted_ports,
)


def allowed(tss: LoadedTss, width: int = 1) -> str:
    """Return the ports that a program at CPL 3 with IOPL 0 may use."""
    mask = permitted_ports(width, cpl=3, iopl=0, vm86=False, protected=True, tss=tss)
    return format_ranges(as_ranges(mask))


def bitmap_allowing(*ports: int, size: int = 8192) -> bytes:
    """Return a bitmap of `size` bytes with clear bits for these ports only."""
    bits = (1 << 8 * size) - 1
    for port in ports:
        bits &= ~(1 << port)
    return bits.to_bytes(size, "little")


def test_intel_example_of_a_short_map() -> None:
    """SDM vol. 1: a limit 10 bytes past the base gives 11 bytes, which map the first 80 ports."""
    tss = build_tss(TssFormat.TSS32, io_map_base=104, bitmap=bytes(100), limit=114)
    assert allowed(tss) == "0-79"


def test_intel_example_of_port_29h() -> None:
    """SDM vol. 1: the bit of port 29H is bit 1 of the sixth byte of the map."""
    bitmap = bytearray(b"\xff" * 8193)
    bitmap[5] = 0b1111_1101
    tss = build_tss(TssFormat.TSS32, io_map_base=104, bitmap=bytes(bitmap))
    assert allowed(tss) == str(0x29)


def test_doubleword_access_needs_four_clear_bits() -> None:
    """SDM vol. 1: a doubleword access passes only if four adjacent ports are allowed."""
    bitmap = bitmap_allowing(0x3F6, 0x3F7, 0x3F8, 0x3F9, 0x500) + b"\xff"
    tss = build_tss(TssFormat.TSS32, io_map_base=104, bitmap=bitmap)
    assert allowed(tss, 4) == str(0x3F6)
    assert allowed(tss, 2) == f"{0x3F6}-{0x3F8}"


@pytest.mark.parametrize("distance", [0, 1])
def test_base_at_or_past_the_limit_means_no_map(distance: int) -> None:
    """SDM vol. 1: with the base at or past the limit there is no map, every access is refused."""
    tss = build_tss(
        TssFormat.TSS32,
        io_map_base=200 + distance,
        bitmap=bytes(9000),
        bitmap_offset=104,
        limit=200,
    )
    assert allowed(tss) == "none"


def test_linux_5_4_grants_one_port() -> None:
    """Linux 5.4 (64-bit): base 0x68, limit 8303, a long of ones behind the map."""
    tss = build_tss(
        TssFormat.TSS64, io_map_base=0x68, bitmap=bitmap_allowing(0x80) + b"\xff" * 8, limit=8303
    )
    assert allowed(tss) == "128"
    assert allowed(tss, 2) == "none"


def test_linux_5_4_grants_every_port() -> None:
    """With all ports granted, only accesses that run past port 65535 meet the terminator."""
    tss = build_tss(TssFormat.TSS64, io_map_base=0x68, bitmap=bytes(8192) + b"\xff" * 8, limit=8303)
    assert [allowed(tss, width) for width in (1, 2, 4)] == ["0-65535", "0-65534", "0-65532"]


def test_full_map_needs_exactly_one_byte_behind_it() -> None:
    """A limit that ends with the map itself loses the last eight ports."""
    bitmap = bytes(8192) + b"\xff"
    short = build_tss(TssFormat.TSS64, io_map_base=0x68, bitmap=bitmap, limit=0x68 + 8191)
    exact = build_tss(TssFormat.TSS64, io_map_base=0x68, bitmap=bitmap, limit=0x68 + 8192)
    assert allowed(short) == "0-65527"
    assert allowed(exact) == "0-65535"


@pytest.mark.parametrize(
    ("tss_format", "map_offset", "limit", "invalid"),
    [
        (TssFormat.TSS64, 0x68, 8303, 0x8000),  # Linux 5.4
        (TssFormat.TSS32, 0x68, 8299, 0x8000),  # Linux 5.4, 32-bit
        (TssFormat.TSS64, 0x70, 8311, 8312),  # patch V2 06/16
        (TssFormat.TSS32, 0x6C, 8303, 8304),  # the same, 32-bit
        (TssFormat.TSS64, 0x78, 16519, 16520),  # Linux 5.5
    ],
)
def test_linux_invalid_base_refuses_everything(
    tss_format: TssFormat, map_offset: int, limit: int, invalid: int
) -> None:
    """Linux denies all ports by a base past the limit, whatever the map in the TSS says."""
    tss = build_tss(
        tss_format, io_map_base=invalid, bitmap=bytes(8192), bitmap_offset=map_offset, limit=limit
    )
    assert allowed(tss) == "none"


def test_stale_bits_above_a_partial_copy() -> None:
    """Port 128 of B in 24 copied bytes, over a map that A had all clear: 192 and up are open."""
    bitmap = bitmap_allowing(128, size=24) + bytes(8192 - 24) + b"\xff" * 8
    tss = build_tss(TssFormat.TSS64, io_map_base=0x70, bitmap=bitmap)
    assert tss.limit == 8311
    assert allowed(tss) == "128, 192-65535"


def test_vm_exit_loses_every_port() -> None:
    """A VM exit forces the limit to 0x67 (commit b7ffc44d5b2e): a valid map allows nothing."""
    full = build_tss(TssFormat.TSS64, io_map_base=0x68, bitmap=bytes(8192) + b"\xff" * 8)
    assert allowed(full) == "0-65535"
    assert allowed(LoadedTss(TssFormat.TSS64, full.image, 0x67)) == "none"


def test_linux_5_5_second_map_allows_all() -> None:
    """Linux 5.5 has two maps in one TSS; the base selects the task's own or the all-clear one."""
    own = bitmap_allowing(0x3F8) + b"\xff" * 8
    both = own + bytes(8192) + b"\xff" * 8
    for base, expected in ((120, "1016"), (8320, "0-65535"), (16520, "none")):
        tss = build_tss(
            TssFormat.TSS64, io_map_base=base, bitmap=both, bitmap_offset=120, limit=16519
        )
        assert allowed(tss) == expected


@pytest.mark.parametrize(("terminator", "expected"), [(b"\xff", "none"), (b"\x00", "1024-1047")])
def test_linux_2_4_terminator_of_zeros_opens_24_ports(terminator: bytes, expected: str) -> None:
    """Linux 2.4.20: 1,024 ports, limit 235; three of the four terminator bytes can be tested."""
    bitmap = b"\xff" * 128 + terminator * 4
    tss = build_tss(TssFormat.TSS32, io_map_base=0x68, bitmap=bitmap)
    assert tss.limit == 235
    assert allowed(tss) == expected


def test_limit_past_the_terminator_leaks() -> None:
    """CVE-2005-0204: with a limit past the terminator, the zeros behind it allow ports."""
    bitmap = bitmap_allowing(0x80, size=128) + b"\xff"
    exact = build_tss(TssFormat.TSS64, io_map_base=0x68, bitmap=bitmap)
    too_large = build_tss(TssFormat.TSS64, io_map_base=0x68, bitmap=bitmap, limit=exact.limit + 20)
    assert allowed(exact) == "128"
    # Bytes 129 to 148 of the map; the last one is only ever the second byte of a pair.
    assert allowed(too_large) == f"128, {129 * 8}-{148 * 8 - 1}"


def user(port: int, width: int, tss: LoadedTss) -> bool:
    """Ask the scalar check as a program at CPL 3 with IOPL 0 does."""
    return permitted(port, width, cpl=3, iopl=0, vm86=False, protected=True, tss=tss)


def second_byte_past_limit() -> bool:
    """Refuse port 0 when only byte 0 of the map is inside the limit."""
    clear = bytes(10)
    inside = build_tss(TssFormat.TSS64, io_map_base=104, bitmap=clear, limit=105)
    outside = build_tss(TssFormat.TSS64, io_map_base=104, bitmap=clear, limit=104)
    return user(0, 1, inside) and not user(0, 1, outside)


def past_last_port() -> bool:
    """Let the byte behind the map decide, not the bit of port 0."""
    closed = build_tss(TssFormat.TSS64, io_map_base=104, bitmap=bytes(8192) + b"\xff")
    opened = build_tss(
        TssFormat.TSS64, io_map_base=104, bitmap=b"\xff" + bytes(8191) + b"\0", limit=8296
    )
    return not user(65535, 2, closed) and user(65535, 2, opened) and user(65533, 4, opened)


def base_field_past_limit() -> bool:
    """Refuse when the limit cuts the base field, whose low byte would point at clear bits."""
    return not user(0, 1, LoadedTss(TssFormat.TSS64, bytes(200), 102))


def sixteen_bit_tss() -> bool:
    """Refuse what a 32-bit TSS with the same bytes would allow."""
    image = build_tss(TssFormat.TSS32, io_map_base=104, bitmap=bytes(10)).image
    return user(0, 1, LoadedTss(TssFormat.TSS32, image, 113)) and not user(
        0, 1, LoadedTss(TssFormat.TSS16, image, 113)
    )


def base_inside_tss() -> bool:
    """Read the fields of the TSS as permission bits: here RSP0 at offset 4 (64-bit)."""
    image = bytearray(104)
    struct.pack_into("<Q", image, 4, 0b10)
    tss = LoadedTss(TssFormat.TSS64, image, 103)
    return user(32, 1, tss) and not user(33, 1, tss)


def base_above_dfff() -> bool:
    """Read past 64 KiB: offset 0xffff + 1 is clear, while offset 0 of the TSS is set."""
    image = bytearray(b"\xff" * 102 + b"\xff\xff") + bytes(0x10002)
    tss = LoadedTss(TssFormat.TSS64, image, len(image) - 1)
    return user(8, 1, tss) and user(0, 4, tss)


def vm86_cpl() -> bool:
    """Consult the bitmap in virtual-8086 mode for a CPL of 0 as well."""
    tss = build_tss(TssFormat.TSS32, io_map_base=104, bitmap=b"\xff\xff")
    return not permitted(0, 1, cpl=0, iopl=3, vm86=True, protected=True, tss=tss)


def page_fault_on_bitmap() -> bool:
    """Refuse to guess when memory inside the limit is not supplied."""
    with pytest.raises(ValueError, match="supply the memory"):
        user(0, 1, LoadedTss(TssFormat.TSS64, bytes(102) + b"\x68\0", 8303))
    return True


ASSUMPTION_CHECKS: dict[str, Callable[[], bool]] = {
    "second-byte-past-limit": second_byte_past_limit,
    "past-last-port": past_last_port,
    "base-field-past-limit": base_field_past_limit,
    "16-bit-tss": sixteen_bit_tss,
    "base-inside-tss": base_inside_tss,
    "base-above-dfff": base_above_dfff,
    "vm86-cpl": vm86_cpl,
    "page-fault-on-bitmap": page_fault_on_bitmap,
}


@pytest.mark.parametrize("assumption", ASSUMPTIONS, ids=lambda assumption: assumption.name)
def test_each_listed_assumption_is_what_the_model_does(assumption: Assumption) -> None:
    """Every corner listed in ASSUMPTIONS behaves as its text says."""
    assert ASSUMPTION_CHECKS[assumption.name]()


def test_assumptions_are_named_once_and_explained() -> None:
    """The list has one entry per name, none empty, and no check without an entry."""
    assert sorted(entry.name for entry in ASSUMPTIONS) == sorted(ASSUMPTION_CHECKS)
    assert all(entry.question and entry.assumed for entry in ASSUMPTIONS)
