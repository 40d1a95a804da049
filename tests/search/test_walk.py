"""Tests that the compiled model does at every step what the design itself does."""

import random

import pytest
from tests.support.search.lockstep import Lockstep, with_each_option

from iopermit.designs import designs, find
from iopermit.system.events import Event, all_events
from iopermit.system.heap import Pool
from iopermit.system.options import with_options
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System

SWITCHED = [
    (name, option) for name, design in designs().items() for option in with_each_option(design)
]
USUAL = all_events() - {Event.CPU_OFFLINE}
"""Events among which rare ones come up: what idle CPUs do has a walk of its own."""

HOMEBOUND = Scenario(2, 2, 3, USUAL - {Event.MIGRATE}, unprivileged=True)
"""Every task stays on its CPU, and the first has no privilege."""

LOSING = frozenset({Event.IOPERM, Event.FORK, Event.FORK_FAILS, Event.EXIT})
"""What it takes to lose a map."""


@pytest.mark.parametrize("name", designs())
def test_ten_thousand_random_steps_agree(name: str) -> None:
    """10,000 random steps lead both readings through the same states, choices and verdicts."""
    rng = random.Random(name)
    default = Lockstep(find(name), Scenario(events=USUAL)).walk(7000, rng)
    homebound = Lockstep(find(name), HOMEBOUND).walk(3000, rng)
    assert default.steps + homebound.steps == 10_000
    rare = {"step", "switch", "ioperm", "iopl", "fork", "exit", "exec", "io-thread", "fork-fails"}
    assert rare <= default.events.keys() | homebound.events.keys()
    assert homebound.verdicts["none"] > 2000


@pytest.mark.parametrize("name", designs())
def test_random_steps_agree_where_cpus_come_up_again(name: str) -> None:
    """2,000 random steps agree, and CPUs go down just of kernels that can do that."""
    events = {Event.IOPERM, Event.IOPL, Event.EXIT, Event.VM_EXIT, Event.CPU_OFFLINE}
    walk = Lockstep(find(name), Scenario(2, 2, 2, frozenset(events))).walk(
        2000, random.Random(name)
    )
    assert (walk.events["cpu-offline"] > 0) == find(name).cpu_hotplug


@pytest.mark.parametrize(
    "name", ["linux-2.6.8", "linux-2.6.9", "linux-2.6.10-L1", "linux-2.6.10", "fixture-xen-iopl"]
)
def test_random_steps_agree_beyond_garbage(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where garbage is no violation it makes room for other objects, in both readings."""
    reclaimed: list[int] = []
    is_lost = System._is_lost

    def noted(system: System, pool: Pool, slot: int) -> bool:
        reclaimed.append(slot)
        return is_lost(system, pool, slot)

    monkeypatch.setattr(System, "_is_lost", noted)
    scenario = Scenario(1, 2, 2, LOSING, garbage=False)
    walk = Lockstep(find(name), scenario).walk(8000, random.Random(name))
    assert "garbage" not in walk.verdicts
    assert reclaimed


@pytest.mark.parametrize(("name", "option"), [s for s in SWITCHED if s[1]], ids=str)
def test_random_steps_agree_with_a_switch_set(name: str, option: dict[str, bool]) -> None:
    """With each switch of a design set, both readings agree on 3,000 random steps."""
    walk = Lockstep(with_options(find(name), option), Scenario()).walk(3000, random.Random(1))
    assert walk.verdicts["none"] > 2000
