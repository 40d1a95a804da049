"""Tests of the bytes of a TSS (src/iopermit/system/tss_memory.py)."""

import numpy as np
import pytest

from iopermit import arch
from iopermit.designs.linux.base import LAYOUT_2_4, LAYOUT_2_6_8, LAYOUT_5_4, LAYOUT_5_5
from iopermit.system.bitmap import PortRange
from iopermit.system.machine_state import IoMapBase, TssLayout
from iopermit.system.tss_memory import TssMemory

LAYOUTS = [LAYOUT_2_4, LAYOUT_2_6_8, LAYOUT_5_4, LAYOUT_5_5]


def memory(layout: TssLayout) -> TssMemory:
    """Return the memory of a TSS whose map is one block."""
    return TssMemory(layout, layout.geometry((0, layout.map_ports // layout.long_bits)))


def allowed(tss: arch.LoadedTss) -> list[int]:
    """Return the ports that user code may use."""
    ports = arch.permitted_ports(1, cpl=3, iopl=0, vm86=False, protected=True, tss=tss)
    return [int(port) for port in np.flatnonzero(ports)]


def view(tss: TssMemory, selected: IoMapBase, *, covered: bool = True) -> arch.LoadedTss:
    """Return the TSS with a base, nothing allowed behind the map."""
    return tss.view(selected, selected, covered=covered, beyond_allowed=False)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_bitmap_is_the_memory_that_the_processor_reads(layout: TssLayout) -> None:
    """Clearing the bits of the first and last ports allows exactly these."""
    tss = memory(layout)
    tss.bitmap.fill()
    last = layout.map_ports - 1
    for port in (0, 1, 0x80, last):
        tss.bitmap.change(PortRange(port, 1), True)
    assert allowed(view(tss, IoMapBase.VALID)) == [0, 1, 0x80, last]
    assert tss.image[layout.bases[IoMapBase.VALID]] == 0xFC


@pytest.mark.parametrize("layout", LAYOUTS)
def test_nothing_is_allowed_past_the_limit(layout: TssLayout) -> None:
    """An invalid base refuses every port of an open map, and so does the limit of a VM exit."""
    tss = memory(layout)
    assert len(allowed(view(tss, IoMapBase.VALID))) == layout.map_ports
    assert allowed(view(tss, IoMapBase.INVALID)) == []
    assert allowed(view(tss, IoMapBase.VALID, covered=False)) == []


def test_the_second_map_allows_every_port() -> None:
    """The constant map of emulated iopl opens all ports whatever the first map says."""
    tss = memory(LAYOUT_5_5)
    tss.bitmap.fill()
    assert len(allowed(view(tss, IoMapBase.ALL))) == 65536


def test_every_width_ends_at_the_last_port() -> None:
    """The terminators behind both maps refuse accesses that run past port 65535."""
    tss = memory(LAYOUT_5_5)
    for base in (IoMapBase.VALID, IoMapBase.ALL):
        ports = arch.permitted_ports(
            4, cpl=3, iopl=0, vm86=False, protected=True, tss=view(tss, base)
        )
        assert ports[65532]
        assert not ports[65533:].any()


def test_a_hypervisor_reads_a_copy() -> None:
    """Where another map is consulted than the TSS selects, the memory keeps its own base."""
    tss = memory(LAYOUT_5_5)
    tss.bitmap.fill()
    other = tss.view(IoMapBase.INVALID, IoMapBase.ALL, covered=True, beyond_allowed=False)
    assert len(allowed(other)) == 65536
    own = tss.image[arch.IO_MAP_BASE_OFFSET :][:2].tobytes()
    assert int.from_bytes(own, "little") == LAYOUT_5_5.bases[IoMapBase.INVALID]


def test_zeros_behind_a_small_map_come_and_go() -> None:
    """The terminator of 2.4 is zero, or all ones, as the design says at that moment."""
    tss = memory(LAYOUT_2_4)
    tss.bitmap.fill()
    for beyond, ports in ((True, list(range(1024, 1048))), (False, [])):
        seen = tss.view(IoMapBase.VALID, IoMapBase.VALID, covered=True, beyond_allowed=beyond)
        assert allowed(seen) == ports
