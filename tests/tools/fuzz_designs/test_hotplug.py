"""Random designs in which CPUs come up again: each resets something else."""

from __future__ import annotations

import random
from collections import Counter

from tools.fuzz_designs.generation.generate import generate
from tools.fuzz_designs.generation.hotplug import with_resets
from tools.fuzz_designs.generation.vocabulary import Field

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

FIELDS = [
    Field("Tss", "owner", "ref", "Task"),
    Field("Tss", "dirty", "longs"),
    Field("Cpu", "low", "bool"),
    Field("Task", "stale", "bool"),
    Field("Tss", "bits", "bitmap"),
]
BODIES = {"bring_up": ["cpu.tss.bitmap.fill()"], "iopl": ["return 0"]}
OFFLINE = frozenset({Event.IOPERM, Event.CPU_OFFLINE})


def test_some_fields_of_the_cpu_are_reset_and_others_forgotten() -> None:
    """Each field of CPU and TSS that has a first value is reset in some designs, not in all."""
    scenario = Scenario(2, 2, 1, OFFLINE)
    found: Counter[str] = Counter()
    for seed in range(50):
        made = with_resets(random.Random(seed), BODIES, FIELDS, scenario)
        assert made["iopl"] == BODIES["iopl"]
        found.update(made["bring_up"])
    assert found.pop("cpu.tss.bitmap.fill()") == 50
    assert found.keys() == {
        "cpu.tss.io_map_base = IoMapBase.INVALID",
        "cpu.tss.owner = NULL",
        "cpu.tss.dirty = 0",
        "cpu.low = False",
    }
    assert all(10 < times < 45 for times in found.values())


def test_other_designs_are_as_they_were() -> None:
    """Where no CPU can come up again bring_up() gets nothing."""
    for scenario in (Scenario(1, 2, 1, OFFLINE), Scenario(2, 2, 1, frozenset({Event.IOPERM}))):
        assert with_resets(random.Random(1), BODIES, FIELDS, scenario) == BODIES


def test_many_designs_on_two_cpus_have_the_event() -> None:
    """At least one in ten of those designs, and none on one CPU."""
    scenarios = [generate(5, index).scenario for index in range(150)]
    two = [s for s in scenarios if s.cpus > 1]
    assert sum(s.has(Event.CPU_OFFLINE) for s in two) >= len(two) / 10
    assert not any(s.has(Event.CPU_OFFLINE) for s in scenarios if s.cpus == 1)
