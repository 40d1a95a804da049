"""Checks the TSS layouts against the structures that the kernels have."""

import pytest

from iopermit.arch.tss import TSS_SIZE
from iopermit.designs import designs, find
from iopermit.system.design import Design
from iopermit.system.machine_state import IoMapBase

LINUX = [design for name, design in designs().items() if name.startswith("linux-")]
BOOKKEEPING = {
    # id: bytes between the hardware TSS and the map, bytes behind the terminator within the limit
    "linux-2.6.9": (0, 8),
    "linux-2.6.10-L1": (0, 8),
    "linux-2.6.10-L2": (0, 8),
    "linux-2.6.10": (0, 8),
    "linux-v2-06": (8, 0),
    "linux-v2-06-reviewed": (8, 0),
    "linux-v2-06-reviewed+prev_max": (8, 0),
    "linux-ecc7e37d": (8, 0),
    "linux-060aa16f": (16, 0),
    "linux-060aa16f+nullcheck": (16, 0),
}
MAPALL = {name for name in designs() if name.startswith(("linux-5.5", "linux-5.7", "linux-5.8"))}
MAPALL |= {"linux-6.16", "linux-6.16+preempt_off"}


def map_and_terminator(design: type[Design]) -> int:
    """Return the bytes of a map with its terminator word."""
    return design.layout.map_ports // 8 + design.layout.long_bits // 8


@pytest.mark.parametrize("design", LINUX, ids=lambda d: d.id)
def test_map_follows_tss_and_bookkeeping(design: type[Design]) -> None:
    """The map starts behind the 104 bytes of the hardware TSS and the words that come first."""
    before = 16 if design.id in MAPALL else BOOKKEEPING.get(design.id, (0, 0))[0]
    assert design.layout.bases[IoMapBase.VALID] == TSS_SIZE + before


@pytest.mark.parametrize("design", LINUX, ids=lambda d: d.id)
def test_limit_ends_at_the_terminator(design: type[Design]) -> None:
    """The limit is the last byte of the last terminator, or of the words that follow it."""
    layout = design.layout
    last = layout.bases.get(IoMapBase.ALL, layout.bases[IoMapBase.VALID])
    behind = BOOKKEEPING.get(design.id, (0, 0))[1]
    assert layout.limit == last + map_and_terminator(design) - 1 + behind


@pytest.mark.parametrize("design", LINUX, ids=lambda d: d.id)
def test_invalid_bases_are_past_the_limit(design: type[Design]) -> None:
    """INVALID and LAZY differ from all other bases, exceed the limit and fit 16 bits."""
    bases = design.layout.bases
    assert len(set(bases.values())) == len(bases)
    for selection in {IoMapBase.INVALID, IoMapBase.LAZY} & set(bases):
        assert design.layout.limit < bases[selection] <= 0xFFFF


@pytest.mark.parametrize("name", sorted(MAPALL))
def test_second_map_follows_the_first(name: str) -> None:
    """From v5.5 on the map of zeros starts behind the terminator of the first map."""
    design = find(name)
    bases = design.layout.bases
    assert bases[IoMapBase.ALL] == bases[IoMapBase.VALID] + map_and_terminator(design) == 0x2080
    assert bases[IoMapBase.INVALID] == design.layout.limit + 1 == 0x4088


@pytest.mark.parametrize(
    ("name", "map_offset", "limit", "invalid"),
    [
        ("linux-2.4.20", 0x68, 0xEB, 0x8000),
        ("linux-2.6.8", 0x68, 0x206B, 0x8000),
        ("linux-2.6.9", 0x68, 0x2073, 0x8000),
        ("linux-2.6.10", 0x68, 0x2073, 0x8000),
        ("linux-5.4", 0x68, 0x206F, 0x8000),
        ("linux-v2-06", 112, 8311, 8312),
        ("linux-060aa16f", 120, 8319, 8320),
        ("linux-5.5", 120, 16519, 16520),
    ],
)
def test_numbers(name: str, map_offset: int, limit: int, invalid: int) -> None:
    """The offsets are those of the kernels' structures, as documented or computed."""
    layout = find(name).layout
    assert layout.bases[IoMapBase.VALID] == map_offset
    assert layout.limit == limit
    assert layout.bases[IoMapBase.INVALID] == invalid


def test_hardware_readable_part_of_2_6_9_ends_at_the_terminator() -> None:
    """The last byte that the processor can read for port 65535 is the first of the terminator."""
    layout = find("linux-2.6.9").layout
    base = layout.bases[IoMapBase.VALID]
    assert base + (65535 >> 3) + 1 == base + 8192 <= layout.limit


def test_lazy_is_0x9000() -> None:
    """LAZY is the value 0x9000, and only the lazy design has it."""
    lazy = {n: d.layout.bases.get(IoMapBase.LAZY) for n, d in designs().items()}
    named = {name: base for name, base in lazy.items() if base is not None}
    assert named == dict.fromkeys(["linux-2.6.10-L1", "linux-2.6.10-L2", "linux-2.6.10"], 0x9000)


def test_2_4_limit_covers_ports_up_to_0x417() -> None:
    """The zero terminator of 2.4 opens ports 0x400 to 0x417: their two bytes are in the limit."""
    layout = find("linux-2.4.20").layout
    base = layout.bases[IoMapBase.VALID]
    readable = [p for p in range(layout.map_ports, 65536) if base + (p >> 3) + 1 <= layout.limit]
    assert (readable[0], readable[-1]) == (0x400, 0x417)


def test_fixture_limit_covers_zeros_behind_the_terminator() -> None:
    """The fixture's limit covers ports whose two bytes are both behind the terminator."""
    design = find("fixture-tss-limit")
    base, limit = design.layout.bases[IoMapBase.VALID], design.layout.limit
    behind = base + map_and_terminator(design)
    readable = [p for p in range(65536) if behind <= base + (p >> 3) and base + (p >> 3) < limit]
    assert behind == 240
    assert (readable[0], readable[-1]) == (1088, 1207)
    assert design.layout.memory > limit
