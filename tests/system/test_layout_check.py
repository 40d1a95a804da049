"""Tests that a layout does what its selections say, by the processor's own check."""

from typing import Any, ClassVar

import pytest

from iopermit.designs import designs
from iopermit.system.design import Design, Own
from iopermit.system.layout_check import layout_fault
from iopermit.system.machine_state import IoMapBase, TssLayout

VALID, INVALID = IoMapBase.VALID, IoMapBase.INVALID
RIGHT: dict[str, Any] = {
    "long_bits": 64,
    "bases": {VALID: 104, INVALID: 0x8000},
    "limit": 104 + 8192,
}


def fault(**changed: object) -> str:
    """Return what is wrong with a layout that is right but for what is changed."""

    class Laid(Design):
        layout: ClassVar[TssLayout] = TssLayout(**{**RIGHT, **changed})

    return layout_fault(Laid) or ""


@pytest.mark.parametrize("name", sorted(designs()))
def test_every_design_has_a_right_layout(name: str) -> None:
    """The layouts of all shipped designs do what they say."""
    assert layout_fault(designs()[name]) is None


def test_a_right_layout_has_no_fault() -> None:
    """A map with one terminating byte inside the limit, and INVALID far behind, is right."""
    assert fault() == ""


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"bases": {VALID: 104, INVALID: 0x100}}, "the base of INVALID (0x100) lies inside"),
        ({"bases": {VALID: 104, INVALID: 104 + 8191}}, "the base of INVALID (0x2067) lies inside"),
        ({"limit": 104 + 4096}, "ends before the map of VALID"),
        ({"limit": 104 + 8191}, "ends before the map of VALID"),
        ({"limit": 0x9000}, "the base of INVALID (0x8000) lies inside"),
        ({"map_ports": 1024, "limit": 104 + 256}, "ports from 1088 on may be allowed"),
        ({"long_bits": 3}, "long_bits is 3, not 32 or 64"),
        ({"bases": {INVALID: 0x8000}}, "bases has no IoMapBase.VALID"),
        ({"bases": {VALID: "here", INVALID: 0x8000}}, "the base of VALID is 'here'"),
        ({"bases": {VALID: 104, INVALID: 1 << 70}}, "the base of INVALID is"),
        ({"bases": {VALID: 104, 7: 8}}, "bases has the key 7"),
        ({"bases": None}, "bases has no IoMapBase.VALID"),
        ({"limit": -1}, "limit is -1, not a number from 103 to 65535"),
        ({"limit": True}, "limit is True"),
        ({"map_ports": 100}, "map_ports is 100, no whole number of longs"),
    ],
)
def test_a_wrong_layout_is_named(changed: dict[str, object], said: str) -> None:
    """Each fault is told with the numbers that are wrong."""
    assert said in fault(**changed)


def test_a_design_may_say_what_is_beyond_its_map() -> None:
    """Bytes behind the terminator are no fault where the design tells what they allow."""

    class Beyond(Design):
        layout: ClassVar[TssLayout] = TssLayout(**{**RIGHT, "map_ports": 1024, "limit": 104 + 256})

        def ports_beyond_map_allowed(self, cpu: Own) -> bool:
            return bool(cpu.tr_limit_low)

    assert layout_fault(Beyond) is None
