"""Tests of full-size state in scenario terms (src/iopermit/system/projection.py)."""

from typing import Any

import pytest
from tests.support.system.driving import finish

from iopermit.designs import designs
from iopermit.system.bitmap import PortRange
from iopermit.system.concretion import exact
from iopermit.system.execution import action
from iopermit.system.machine_state import IoMapBase
from iopermit.system.projection import ProjectionError, snapshot
from iopermit.system.running.runner import Runner
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System
from iopermit.translate.frontend.declare import declare
from iopermit.translate.stepping.generators import steps


def make(name: str, longs: int = 2) -> System:
    """Return a system of one CPU and two tasks."""
    design = designs()[name]
    scenario = Scenario(cpus=1, tasks=2, longs=longs)
    return System(design, scenario, exact(design.layout, longs), stepper=steps)


def fields(system: System, record: str, slot: int = 0) -> dict[str, Any]:
    """Return the fields of a record that is there."""
    found = snapshot(system)[record][slot]
    assert found is not None
    return found


@pytest.mark.parametrize("name", designs())
def test_the_projection_has_the_declared_fields(name: str) -> None:
    """For every design it has the records and fields that the search declares, in range."""
    system = make(name)
    taken = snapshot(system)
    declared = declare(designs()[name], system.scenario)
    assert {record: len(slots) for record, slots in taken.items()} == declared.counts
    for field in declared.fields:
        for slot in taken[field.record]:
            if slot is not None:
                assert field.low <= slot[field.name] <= field.high


def test_a_map_of_one_long() -> None:
    """Granting the middle long of three clears its bit only; the count covers two longs."""
    system = make("linux-5.4", longs=3)
    finish(system, action(0, "ioperm", first=1, end=2, turn_on=1))
    task = fields(system, "task")
    assert (task["granted"], task["granted_iopl"], task["mode"]) == (0b010, 0, "user")
    assert task["io_bitmap_max"] == 2
    assert task["io_bitmap_ptr"] == 1
    block = snapshot(system)["BitmapBlock"]
    assert block == [{"bitmap": 0b101}, None, None, None]
    assert fields(system, "tss")["bitmap"] == 0b101
    assert fields(system, "tss")["io_map_base"] == IoMapBase.VALID.value


def test_control_state_is_there() -> None:
    """A switching CPU shows whom it switches to and at which step it is."""
    system = make("linux-5.4")
    system.apply(action(0, "switch", following=1))
    cpu = fields(system, "cpu")
    assert (cpu["current"], cpu["following"]) == (1, 2)
    assert [p.function for p in cpu["positions"]] == ["switch_to"]


def test_part_of_a_long_has_no_bit() -> None:
    """A single port is less than the long of an exact scenario, so there is no such state."""
    design = designs()["linux-5.4"]
    system = System(design, Scenario(cpus=1, tasks=1), exact(design.layout, 2))
    Runner(system).ioperm(0, PortRange(0x80, 1), True)
    with pytest.raises(ProjectionError, match="scenario long 1 stands for ports that differ"):
        snapshot(system)


def test_a_dangling_pointer_keeps_its_slot() -> None:
    """The TSS of linux-2.6.9 goes on naming a task that is gone; the free slot itself is None."""
    system = make("linux-2.6.9")
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=1))
    finish(system, action(0, "switch", following=1))
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=1))
    owner = fields(system, "tss")["owner"]
    system.release_task(system.threads[1])
    assert (owner, fields(system, "tss")["owner"]) == (2, 2)
    assert snapshot(system)["task"][1] is None
