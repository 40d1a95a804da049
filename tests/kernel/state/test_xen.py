"""What Xen allows user code of a guest, by the map that the guest named."""

from __future__ import annotations

import functools
import struct
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from tests.support.kernel.faults import Edit, unified_diff
from tests.support.kernel.planted.xen import GUEST
from tests.support.kernel.trees import build_cache, require_tree

from iopermit import arch
from iopermit.kernel.build.builder import build
from iopermit.kernel.build.configuration import CONFIGURATIONS
from iopermit.kernel.check import check_tree
from iopermit.kernel.loading import load_built
from iopermit.kernel.state.xen import ToldMap, UnknownMap, XenGuest, xen_guest
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from iopermit.engine.verdict import Verdict

LINK, START = 0x1000, 0x7000_0000
TSS, BITMAP, END = 0x2000, 0x2068, 0x2068 + 8193
NOTED = 0x1800
PORTS = arch.PORT_COUNT


class SmallLayout:
    """A layout with a TSS of one map."""

    tss, tss_end, xen_map = TSS, END, NOTED


def allowed(
    pointer: int, ports: int, *, other: int = 0, opened: tuple[int, ...] = (), width: int = 1
) -> NDArray[np.bool_]:
    """Return what Xen allows with a map in which some ports are open."""
    area = bytearray(0x4000)
    area[BITMAP - LINK : END - LINK] = b"\xff" * 8193
    for port in opened:
        area[BITMAP - LINK + port // 8] &= ~(1 << port % 8)
    struct.pack_into("<QII", area, NOTED - LINK, pointer, ports, other)
    guest = XenGuest(SmallLayout(), NOTED)  # type: ignore[arg-type]  # the fields that it needs
    return guest.allowed(bytes(area), LINK, START, width)


def test_nothing_is_allowed_before_xen_is_told() -> None:
    """Without a hypercall, and with a map of no ports wherever it is, every port is refused."""
    assert not allowed(0, 0).any()
    assert not allowed(START + BITMAP, 0, opened=(0, 80)).any()
    assert not allowed(0xDEAD_0000, 0).any()


def test_the_map_in_the_tss_decides() -> None:
    """The ports whose bits are clear are allowed, to the last one."""
    assert np.flatnonzero(allowed(START + BITMAP, PORTS, opened=(0, 128, 65535))).tolist() == [
        0,
        128,
        65535,
    ]


def test_a_port_behind_the_map_is_refused() -> None:
    """All of an access has to be among the ports of the map (guest_io_okay() of Xen)."""
    every = tuple(range(72))
    assert np.flatnonzero(allowed(START + BITMAP, 64, opened=every)).tolist() == list(range(64))
    wide = allowed(START + BITMAP, 64, opened=every, width=4)
    assert np.flatnonzero(wide).tolist() == list(range(61))
    last = allowed(START + BITMAP, PORTS, opened=(65534, 65535), width=2)
    assert np.flatnonzero(last).tolist() == [65534]


@pytest.mark.parametrize(
    ("pointer", "says"),
    [
        (0, "before the start of"),
        (START + TSS - 1, "1 bytes before the start of the CPU's TSS"),
        (START + BITMAP + 1, "105 bytes behind the start of the CPU's TSS"),
        (START + 0x1000_0000 + BITMAP, "behind the start of"),
    ],
)
def test_a_map_elsewhere_is_not_known(pointer: int, says: str) -> None:
    """A map of which one byte, read or not, is not in the TSS of the same CPU is not judged."""
    with pytest.raises(UnknownMap, match=says):
        allowed(pointer, PORTS)


def test_another_command_is_not_known() -> None:
    """Once another command of the hypercall was called, nothing is judged."""
    with pytest.raises(UnknownMap, match="physdev_op with command 6,"):
        allowed(START + BITMAP, PORTS, other=7)


@pytest.mark.parametrize(
    ("told", "base"),
    [
        (ToldMap(0x68, PORTS, None), 0x68),
        (ToldMap(0x68, 0, None), 0xFFFF),
        (ToldMap(-5, PORTS, None), 0),
        (ToldMap(1 << 20, PORTS, None), 0),
    ],
)
def test_reports_show_it_as_a_base(told: ToldMap, base: int) -> None:
    """A map in the TSS is shown as its offset, none as past the limit, another one as no map."""
    assert told.selected == base


def test_only_a_guest_has_such_a_map() -> None:
    """A kernel that runs on no hypervisor is judged by its TSS."""

    class NoGuest(SmallLayout):
        xen_map = None  # type: ignore[assignment]  # as in a layout without it

    assert xen_guest(NoGuest()) is None  # type: ignore[arg-type]  # the field that it needs


@functools.cache
def verdict(pattern: str, replacement: str) -> Verdict:
    """Return what is said of Debian's 6.12 as a guest, with an edit."""
    tree = require_tree("6.12")
    with tempfile.TemporaryDirectory() as directory:
        patch = Path(directory) / "edit.patch"
        patch.write_text(unified_diff(tree, Edit("an edit", GUEST, pattern, replacement, "")))
        built = build(tree, [patch], cache=build_cache(), configuration=CONFIGURATIONS["xen"])
        scenario = Scenario(1, 1, 1, frozenset({Event.IOPERM}))
        return check_tree(load_built(built, [patch]), [scenario])


def test_a_tree_that_names_another_map_gets_no_verdict() -> None:
    """A map in the task's own memory is not taken for one that allows or refuses something."""
    found = verdict(
        r"iobitmap\.bitmap = \(uint8_t \*\)\(&tss->x86_tss\) \+\s*tss->x86_tss\.io_bitmap_base;",
        r"iobitmap.bitmap = current->thread.io_bitmap ?\n"
        r"\t\t(uint8_t *)current->thread.io_bitmap->bitmap : NULL;",
    )
    assert (found.verdict, found.violation) == ("undetermined", None)
    assert "is not all inside it" in found.reason


def test_a_tree_that_makes_another_hypercall_gets_no_verdict() -> None:
    """A level that is told to Xen is not passed over."""
    found = verdict(
        r"(native_tss_invalidate_io_bitmap\(\);)(\n\tHYPERVISOR_physdev_op\(PHYSDEVOP_set_iob)",
        r"\1\n\tHYPERVISOR_physdev_op(PHYSDEVOP_set_iopl, &iobitmap);\2",
    )
    assert found.verdict == "undetermined"
    assert "command 6" in found.reason
