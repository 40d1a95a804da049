"""Numbers for what tasks were granted."""

from __future__ import annotations

import numpy as np

from iopermit.kernel.state.grants import GrantTable
from iopermit.system.bitmap import PortRange


def test_equal_grants_have_one_number() -> None:
    """Opening ports in one call or in two, or closing them again, gives the same number."""
    table = GrantTable()
    whole = table.change(0, PortRange(10, 20), True)
    halves = table.change(table.change(0, PortRange(10, 5), True), PortRange(15, 15), True)
    assert whole == halves != 0
    assert table.change(whole, PortRange(0, 100), False) == 0


def test_a_number_stands_for_its_ports_and_level() -> None:
    """What a number stands for is what was granted, and a level of 3 allows every port."""
    table = GrantTable()
    number = table.change(0, PortRange(65535, 1), True)
    assert np.flatnonzero(table.grants(number).allowed).tolist() == [65535]
    everything = table.set_level(number, 3)
    assert table.grants(everything).allowed.all()
    assert table.set_level(everything, 0) == number


def test_a_key_is_the_same_in_every_table() -> None:
    """Two tables that met the same grants in another order agree on keys, not on numbers."""
    one, other = GrantTable(), GrantTable()
    other.change(0, PortRange(7, 1), True)
    first, second = (table.change(0, PortRange(3, 1), True) for table in (one, other))
    assert first != second
    assert one.key(first) == other.key(second) == (1 << 3, 0)
