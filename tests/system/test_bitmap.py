"""Tests of full-size port bitmaps (src/iopermit/system/bitmap.py)."""

import numpy as np
import pytest

from iopermit.system.bitmap import Bitmap, Geometry, PortRange
from iopermit.system.crash import OutOfRange

GEOMETRIES = [Geometry((0, 1, 1024), 64), Geometry((0, 3, 7, 2048), 32), Geometry((0, 32), 32)]


@pytest.fixture(params=GEOMETRIES, ids=lambda g: f"{g.long_bits}-bit-{g.longs}")
def geometry(request: pytest.FixtureRequest) -> Geometry:
    """Give each geometry in turn."""
    value: Geometry = request.param
    return value


def denied(geometry: Geometry) -> Bitmap:
    """Return a bitmap that denies every port."""
    bitmap = Bitmap(geometry)
    bitmap.fill()
    return bitmap


@pytest.mark.parametrize(
    ("first", "count", "valid"),
    [(0, 1, True), (0, 65536, True), (65535, 1, True), (65535, 2, False), (5, 0, False)],
)
def test_a_range_is_valid_inside_the_ports(first: int, count: int, valid: bool) -> None:
    """A range is valid if it is not empty and ends within 65,536 ports."""
    assert PortRange(first, count).is_valid() is valid


def test_a_range_that_wraps_is_invalid() -> None:
    """A count near 2**64 wraps around in C and is refused (ioperm's from + num <= from)."""
    assert not PortRange(1, (1 << 64) - 1).is_valid()


def test_change_touches_exactly_its_ports(geometry: Geometry) -> None:
    """Allowing a range that straddles longs and blocks allows these ports and no other."""
    bitmap = denied(geometry)
    bitmap.change(PortRange(30, 200), True)
    expected = np.zeros(geometry.ports, np.bool_)
    expected[30:230] = True
    assert np.array_equal(bitmap.allowed(), expected)
    bitmap.change(PortRange(100, 1), False)
    expected[100] = False
    assert np.array_equal(bitmap.allowed(), expected)


def test_extent_is_the_last_open_long(geometry: Geometry) -> None:
    """The extent counts longs up to the one with the highest allowed port, or is the minimum."""
    bitmap = denied(geometry)
    assert (bitmap.extent(), bitmap.extent(at_least=1)) == (0, 1)
    bitmap.change(PortRange(0, 1), True)
    bitmap.change(PortRange(130, 1), True)
    assert bitmap.extent() == bitmap.extent(at_least=1) == 130 // geometry.long_bits + 1


def test_copy_takes_the_first_longs_only(geometry: Geometry) -> None:
    """A copy of n longs leaves the others; without a number it copies all."""
    source, target = Bitmap(geometry), denied(geometry)
    target.copy_from(source, 2)
    assert np.flatnonzero(target.allowed()).tolist() == list(range(2 * geometry.long_bits))
    target.copy_from(source)
    assert target.allowed().all()


def test_fill_takes_the_first_longs_only(geometry: Geometry) -> None:
    """A fill of one long denies the ports of one real long, whatever the block."""
    bitmap = Bitmap(geometry)
    bitmap.fill(1)
    assert int(np.flatnonzero(bitmap.allowed())[0]) == geometry.long_bits


def test_steps_stop_before_each_block() -> None:
    """The twin of a copy stops once per scenario long and has copied nothing at the first stop."""
    geometry = Geometry((0, 1, 1024), 64)
    source, target = Bitmap(geometry), denied(geometry)
    steps = target.copy_from_steps(source)
    seen = [int(target.allowed().sum()) for _ in steps]
    assert seen == [0, 64]
    assert target.allowed().all()
    assert list(target.copy_from_steps(source, 0)) == []


def test_longs_beyond_the_map_are_a_crash(geometry: Geometry) -> None:
    """Copying more longs than the map has overruns its memory."""
    with pytest.raises(OutOfRange, match="longs of a bitmap"):
        Bitmap(geometry).fill(geometry.real_longs + 1)
