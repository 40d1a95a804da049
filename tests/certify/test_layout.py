"""Tests that the checker knows where the processor finds a map, and what it takes for one."""

from dataclasses import replace

import pytest

from iopermit.certify.errors import UnacceptableError
from iopermit.certify.layout import check_layout
from iopermit.designs import designs, find
from iopermit.system.machine_state import IoMapBase, TssLayout

RIGHT = find("linux-5.4").layout
WRONG = {
    "INVALID inside the limit": ({IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x100}, RIGHT.limit),
    "a limit behind INVALID": ({IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000}, 0x9000),
    "a limit inside the map": ({IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000}, 0x68 + 4096),
    "no byte behind the map": ({IoMapBase.VALID: 0x68, IoMapBase.INVALID: 0x8000}, 0x68 + 8191),
    "LAZY inside the limit": ({IoMapBase.VALID: 0x68, IoMapBase.LAZY: 0x70}, RIGHT.limit),
    "the second map over the first": (
        {IoMapBase.VALID: 0x68, IoMapBase.ALL: 0x70},
        0x70 + 8192,
    ),
    "no map at all": ({IoMapBase.INVALID: 0x8000}, RIGHT.limit),
}


@pytest.mark.parametrize("design", designs())
def test_layouts_of_the_designs_are_right(design: str) -> None:
    """Every base of every known design selects what its name says."""
    check_layout(find(design))


@pytest.mark.parametrize("case", WRONG)
def test_wrong_layout_is_refused(case: str) -> None:
    """A base that selects something else is found by asking the processor's check."""
    bases, limit = WRONG[case]
    layout: TssLayout = replace(RIGHT, bases=bases, limit=limit)
    design = type("Wrong", (find("linux-5.4"),), {"layout": layout})
    with pytest.raises(UnacceptableError, match=r"Wrong\.layout: "):
        check_layout(design)
