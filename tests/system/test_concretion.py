"""Tests of what the longs of a scenario stand for (src/iopermit/system/concretion.py)."""

import pytest

from iopermit.designs.linux.base import LAYOUT_2_4, LAYOUT_2_6_8, LAYOUT_5_5
from iopermit.system.bitmap import PortRange
from iopermit.system.concretion import exact, readable
from iopermit.system.machine_state import TssLayout

LAYOUTS = [LAYOUT_2_4, LAYOUT_2_6_8, LAYOUT_5_5]


def test_exact_ranges_are_whole_blocks() -> None:
    """The first long of two is the first real long, the other one the rest of the map."""
    concretion = exact(LAYOUT_5_5, 2)
    assert concretion.geometry.boundaries == (0, 1, 1024)
    assert concretion.ports_of(0, 1) == PortRange(0, 64)
    assert concretion.ports_of(1, 2) == PortRange(64, 65536 - 64)
    assert concretion.ports_of(0, 2) == PortRange(0, 65536)


def test_readable_ranges_are_well_known_ports() -> None:
    """Two longs stand for port 0x80 and the last port; both together for the whole map."""
    concretion = readable(LAYOUT_5_5, 2)
    assert concretion.geometry.boundaries == (0, 3, 1024)
    assert concretion.ports_of(0, 1) == PortRange(0x80, 1)
    assert concretion.ports_of(1, 2) == PortRange(65535, 1)
    assert concretion.ports_of(0, 2) == PortRange(0, 65536)
    assert readable(LAYOUT_5_5, 3).ports_of(0, 2) == PortRange(0x80, 0x3F8 - 0x80 + 1)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("longs", range(1, 33))
def test_every_long_has_ports_of_its_own(layout: TssLayout, longs: int) -> None:
    """For each number of longs, blocks ascend to the map's end and hold their ports."""
    for concretion in (exact(layout, longs), readable(layout, longs)):
        geometry = concretion.geometry
        assert geometry.longs == longs
        assert geometry.ports == layout.map_ports
        assert list(geometry.boundaries) == sorted(set(geometry.boundaries))
        for number, ports in enumerate(concretion.ports):
            low, high = geometry.boundaries[number : number + 2]
            assert low * layout.long_bits <= ports.first
            assert ports.first + ports.count <= high * layout.long_bits
            assert ports.is_valid(layout.map_ports)


def test_an_empty_range_is_invalid() -> None:
    """The scenario's invalid range has no ports."""
    assert not exact(LAYOUT_5_5, 2).ports_of(0, 0).is_valid()
