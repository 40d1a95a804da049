"""Tests that an idle CPU goes down and comes up again in the plain reading."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest
from tests.support.designs.hotplug import ForgetsTag, Resets, WithoutHook, WithoutHotplug
from tests.support.system.driving import finish, make

from iopermit.system.events import Event
from iopermit.system.events.rules import enabled
from iopermit.system.execution import Action, Mode, action

if TYPE_CHECKING:
    from iopermit.system.simulation import System

EVENTS: Final = frozenset({Event.IOPERM, Event.MIGRATE, Event.CPU_OFFLINE})


def idle_on(system: System, cpu: int) -> None:
    """Let a CPU idle."""
    finish(system, action(cpu, "switch", following=system.scenario.tasks))


def offline(system: System) -> list[tuple[int, dict[str, int]]]:
    """Return which CPUs can go down, with which arguments."""
    events = [a for a in enabled(system) if a.event == "cpu-offline"]
    return [(a.cpu, dict(a.arguments)) for a in events]


def test_only_an_idle_cpu_can_go_down() -> None:
    """A CPU that runs a task cannot; the last one cannot; nor one of a kernel without hotplug."""
    system = make(Resets, cpus=2, events=EVENTS)
    assert offline(system) == []
    idle_on(system, 1)
    assert offline(system) == [(1, {})]
    alone = make(Resets, cpus=1, events=EVENTS)
    idle_on(alone, 0)
    assert offline(alone) == []
    other = make(WithoutHotplug, cpus=2, events=EVENTS)
    idle_on(other, 1)
    assert offline(other) == []


def test_no_other_cpu_goes_down_meanwhile() -> None:
    """While a CPU comes up it does nothing else, and another idle one stays as it is."""
    system = make(Resets, cpus=2, events=EVENTS)
    idle_on(system, 0)
    idle_on(system, 1)
    system.apply(action(1, "cpu-offline"))
    assert system.processors[1].coming_up
    assert not system.processors[0].coming_up
    assert [a for a in enabled(system) if a.cpu == 1] == [Action(1, "step")]
    assert offline(system) == []
    while system.processors[1].switching:
        system.apply(Action(1, "step"))
    assert [cpu for cpu, _ in offline(system)] == [0, 1]


def test_bring_up_runs_and_the_rest_stays() -> None:
    """TR is loaded, the map filled, the mark reset; the tag that the hook forgets is as before."""
    system = make(ForgetsTag, cpus=2, events=EVENTS)
    processor = system.processors[1]
    finish(system, action(1, "ioperm", first=0, end=2, turn_on=1))
    tag = processor.tss.tag
    idle_on(system, 1)
    processor.record.tr_limit_low = True
    finish(system, action(1, "cpu-offline"))
    assert not processor.record.tr_limit_low
    assert not processor.tss.bitmap.allowed().any()
    assert (processor.tss.tag, processor.tss.dirty) == (tag, 0)
    assert system.current(processor).mode is Mode.IDLE
    assert processor.steps is None


def test_without_the_hook_it_is_up_at_once() -> None:
    """There is no step to do, and the CPU can go down again."""
    system = make(WithoutHook, cpus=2, events=EVENTS)
    idle_on(system, 1)
    system.processors[1].record.tr_limit_low = True
    system.apply(action(1, "cpu-offline"))
    assert not system.processors[1].switching
    assert not system.processors[1].record.tr_limit_low
    assert offline(system) == [(1, {})]


@pytest.mark.parametrize("home", [0, 2])
def test_tasks_that_are_bound_to_it_go_elsewhere(home: int) -> None:
    """Where tasks do not migrate the event says where; then they run there, and only there."""
    system = make(Resets, cpus=3, tasks=3, events=EVENTS - {Event.MIGRATE})
    for cpu in range(3):
        idle_on(system, cpu)
    assert [arguments for cpu, arguments in offline(system) if cpu == 1] == [
        {"home": 0},
        {"home": 2},
    ]
    finish(system, action(1, "cpu-offline", home=home))
    assert system.threads[1].home == home
    switches = [a for a in enabled(system) if a.event == "switch" and a["following"] == 1]
    assert [a.cpu for a in switches] == [home]
