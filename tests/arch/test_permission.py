"""Tests of the permission check: every boundary enumerated, against a rule written differently."""

import itertools
import random

import pytest

from iopermit.arch import WIDTHS, LoadedTss, TssFormat, build_tss, consults_bitmap, permitted

LEVELS = range(4)
PAIRS = list(itertools.product(LEVELS, LEVELS))
WITH_MAP = (TssFormat.TSS32, TssFormat.TSS64)
# 103: the bare TSS. 104: one byte of map. 235: Linux 2.4.20. 8295: no room for the terminator.
# 8296: one byte of terminator. 8303: Linux 5.4, 64-bit. 70000: past every base and offset but some.
LIMITS = (103, 104, 235, 8295, 8296, 8303, 70000)
PATTERNS = {
    "clear": bytes(80000),
    "set": b"\xff" * 80000,
    "alternating": b"\x55" * 80000,
    "low nibble clear": b"\xf0" * 80000,
    "random": random.Random(1).randbytes(80000),
}


def user(port: int, width: int, tss: LoadedTss) -> bool:
    """Ask as a program at CPL 3 with IOPL 0 does."""
    return permitted(port, width, cpl=3, iopl=0, vm86=False, protected=True, tss=tss)


def make_tss(base: int, limit: int, pattern: bytes) -> LoadedTss:
    """Make a 64-bit TSS whose memory is `pattern`, but for the base."""
    return build_tss(
        TssFormat.TSS64, io_map_base=base, bitmap=pattern, bitmap_offset=0, limit=limit
    )


def base_edges(limit: int) -> list[int]:
    """Return the bases at which something changes for this limit."""
    bases = {0, 103, 104, limit - 1, limit, limit + 1, 0xFFFF}
    return sorted(base for base in bases if base <= 0xFFFF)


def port_edges(base: int, limit: int) -> list[int]:
    """Return the ports at byte edges, at both ends, and around the last one inside the limit."""
    last = 8 * (limit - base)
    ports = {*range(18), *range(65518, 65536), *range(last - 18, last + 18), 63, 64, 1023, 1024}
    return sorted(port for port in ports if 0 <= port <= 65535)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_boundary_of_base_limit_port_and_width(limit: int, pattern: str) -> None:
    """At each boundary, access passes if the byte pair is in the limit and the bits are clear.

    The expectation takes the memory as one long number, so it knows neither bytes nor words.
    """
    for base in base_edges(limit):
        tss = make_tss(base, limit, PATTERNS[pattern])
        memory = int.from_bytes(tss.image, "little") >> 8 * base
        for port, width in itertools.product(port_edges(base, limit), WIDTHS):
            inside = 8 * base + (port | 7) + 8 < 8 * (limit + 1)
            clear = (memory >> port) % 2**width == 0
            assert user(port, width, tss) is (inside and clear), (base, port, width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("bit", range(8))
def test_each_bit_of_a_straddling_access_counts(width: int, bit: int) -> None:
    """A set bit refuses exactly the accesses that cover its port, across the byte edge too."""
    bitmap = bytearray(4) + b"\xff"
    bitmap[2] = 1 << bit
    tss = build_tss(TssFormat.TSS64, io_map_base=104, bitmap=bytes(bitmap))
    refused = {port for port in range(24) if not user(port, width, tss)}
    assert refused == {port for port in range(16 + bit - width + 1, 16 + bit + 1) if port < 24}


@pytest.mark.parametrize("tss_format", WITH_MAP)
@pytest.mark.parametrize(("cpl", "iopl"), PAIRS)
def test_protected_mode_compares_cpl_with_iopl(tss_format: TssFormat, cpl: int, iopl: int) -> None:
    """In protected mode a bitmap of ones refuses only the six pairs with CPL > IOPL."""
    refused = {(1, 0), (2, 0), (2, 1), (3, 0), (3, 1), (3, 2)}
    tss = build_tss(tss_format, io_map_base=104, bitmap=b"\xff" * 8200)
    passes = permitted(0x80, 1, cpl=cpl, iopl=iopl, vm86=False, protected=True, tss=tss)
    assert passes is ((cpl, iopl) not in refused)


@pytest.mark.parametrize(("cpl", "iopl"), PAIRS)
@pytest.mark.parametrize(("content", "expected"), [(b"\xff", False), (b"\x00", True)])
def test_virtual_8086_mode_always_asks_the_bitmap(
    cpl: int, iopl: int, content: bytes, *, expected: bool
) -> None:
    """In virtual-8086 mode the bitmap alone decides, even where CPL <= IOPL."""
    tss = build_tss(TssFormat.TSS32, io_map_base=104, bitmap=content * 8192 + b"\xff")
    passes = permitted(0x80, 1, cpl=cpl, iopl=iopl, vm86=True, protected=True, tss=tss)
    assert passes is expected


@pytest.mark.parametrize(("cpl", "iopl"), PAIRS)
@pytest.mark.parametrize("width", WIDTHS)
def test_real_mode_allows_everything(cpl: int, iopl: int, width: int) -> None:
    """In real mode no access is refused, not even past port 65535, and no TSS is read."""
    unreadable = LoadedTss(TssFormat.TSS32, b"", 8303)
    for port in (0, 0x80, 65535):
        assert permitted(
            port, width, cpl=cpl, iopl=iopl, vm86=False, protected=False, tss=unreadable
        )


@pytest.mark.parametrize("vm86", [False, True])
@pytest.mark.parametrize(("cpl", "iopl"), PAIRS)
def test_16_bit_tss_refuses_what_needs_a_bitmap(cpl: int, iopl: int, *, vm86: bool) -> None:
    """With a 16-bit TSS, all that would consult a bitmap is refused, even over clear memory."""
    tss = build_tss(TssFormat.TSS16, io_map_base=104, bitmap=bytes(8193))
    passes = permitted(0x80, 1, cpl=cpl, iopl=iopl, vm86=vm86, protected=True, tss=tss)
    assert passes is (cpl <= iopl and not vm86)


@pytest.mark.parametrize("port", [-1, 65536])
def test_port_out_of_range_is_an_error(port: int) -> None:
    """A port outside 0-65535 is a mistake of the caller, not a refusal."""
    with pytest.raises(ValueError, match="port"):
        user(port, 1, build_tss(TssFormat.TSS64, io_map_base=104))


@pytest.mark.parametrize("width", [-1, 0, 3, 8])
def test_width_other_than_1_2_4_is_an_error(width: int) -> None:
    """No I/O instruction transfers 0, 3 or 8 bytes."""
    with pytest.raises(ValueError, match="width"):
        user(0, width, build_tss(TssFormat.TSS64, io_map_base=104))


@pytest.mark.parametrize(("cpl", "iopl"), [(-1, 0), (4, 0), (0, -1), (0, 4)])
def test_privilege_level_out_of_range_is_an_error(cpl: int, iopl: int) -> None:
    """CPL and IOPL are two-bit numbers."""
    with pytest.raises(ValueError, match="is not in 0-3"):
        consults_bitmap(cpl=cpl, iopl=iopl, vm86=False, protected=True)


def test_virtual_8086_mode_needs_protected_mode() -> None:
    """EFLAGS.VM without CR0.PE is no mode of the processor."""
    with pytest.raises(ValueError, match="virtual-8086"):
        consults_bitmap(cpl=3, iopl=0, vm86=True, protected=False)


def test_image_that_ends_before_a_needed_byte_is_an_error() -> None:
    """Bytes inside the limit but missing from the image are an error, only when they are read."""
    tss = LoadedTss(TssFormat.TSS64, bytes(102) + b"\x68\0" + bytes(2), 200)
    with pytest.raises(ValueError, match="image holds 106 bytes"):
        user(8, 1, tss)
    assert user(0, 1, tss)
    assert not user(65535, 1, tss)
