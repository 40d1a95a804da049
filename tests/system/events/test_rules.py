"""Tests of what can happen next (src/iopermit/system/events/rules.py)."""

import random
from collections import Counter

import pytest
from tests.support.system.driving import ALL_ON, STEP, finish, free_slot, make
from tests.support.system.tiny_design import Tiny

from iopermit.designs import designs
from iopermit.system.concretion import exact
from iopermit.system.crash import KernelCrash
from iopermit.system.events import Event, askable_events
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.events.rules import enabled
from iopermit.system.execution import Action, Mode, action
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System
from iopermit.system.specification import finding
from iopermit.translate.stepping.generators import steps


class NotPreemptible(Tiny):
    """The tiny design in a kernel that is not preemptible."""

    preemptible = False


def events(system: System) -> Counter[str]:
    """Count what can happen by event."""
    return Counter(possible.event for possible in enabled(system))


def test_a_user_task_can_do_everything_that_the_design_supports() -> None:
    """Three ranges on and off and an invalid one; two levels; no free slot, no VM exit hook."""
    assert events(make()) == {
        "ioperm": 7,
        "iopl": 2,
        "exit": 1,
        "exec": 1,
        "drop-privilege": 1,
        "switch": 2,
    }


def test_with_a_free_slot_every_kind_of_fork_is_possible() -> None:
    """Fork, a failing fork, and both again for kernel threads, all with the one free slot."""
    system = make()
    free_slot(system)
    forks = [a for a in enabled(system) if a.event.startswith(("fork", "io-thread"))]
    expected = ["fork", "fork-fails", "io-thread", "io-thread-fails"]
    assert [(a.event, a["child"]) for a in forks] == [(event, 1) for event in expected]


@pytest.mark.parametrize(
    "event", [e for e in askable_events() if e not in (Event.PREEMPT, Event.MIGRATE)], ids=str
)
def test_an_event_outside_the_scenario_cannot_happen(event: Event) -> None:
    """Leaving an event out removes exactly the actions of that name (and failing workers)."""
    design = designs()["linux-5.4"]
    full, reduced = make(design), make(design, events=ALL_EVENTS - {event})
    for system in (full, reduced):
        free_slot(system)
    before, after = events(full), events(reduced)
    assert after[event.name] == 0
    gone = {event.name}
    if event in (Event.FORK_FAILS, Event.IO_THREAD):
        gone.add("io-thread-fails")
    assert {name: n for name, n in before.items() if name not in gone} == after


def test_a_dead_task_can_only_be_switched_out() -> None:
    """After exit nothing else can happen on the CPU."""
    system = make()
    finish(system, action(0, "exit"))
    assert events(system) == {"switch": 2}


def test_an_idle_cpu_can_only_switch_to_a_task() -> None:
    """The idle task makes no system call, and there is no switch to itself."""
    system = make(tasks=1)
    finish(system, action(0, "switch", following=1))
    assert enabled(system) == [action(0, "switch", following=0)]


def test_a_kernel_thread_forks_kernel_threads_and_exits() -> None:
    """It makes no other system call."""
    system = make(tasks=3)
    free_slot(system)
    finish(system, action(0, "io-thread", child=1))
    finish(system, action(0, "exit"))
    finish(system, action(0, "switch", following=1))
    assert events(system) == {"io-thread": 1, "io-thread-fails": 1, "exit": 1, "switch": 2}


def test_kernel_code_is_preempted_only_where_it_can_be() -> None:
    """Inside the section without preemption only the step itself is possible."""
    system = make()
    finish(system, ALL_ON)
    system.apply(ALL_ON)
    seen = []
    while system.threads[0].mode is Mode.KERNEL:
        seen.append(events(system)["switch"])
        system.apply(Action(0, "step"))
    assert seen == [2] * 4 + [0] * 10 + [2] * 2


@pytest.mark.parametrize("how", ["scenario", "design"])
def test_preemption_can_be_impossible(how: str) -> None:
    """Neither without the event nor in a kernel that is not preemptible."""
    events_left = ALL_EVENTS - ({Event.PREEMPT} if how == "scenario" else set())
    system = make(Tiny if how == "scenario" else NotPreemptible, events=events_left)
    system.apply(ALL_ON)
    assert events(system) == {"step": 1}


def test_a_switch_is_not_interrupted() -> None:
    """While a CPU switches, its next step is all that can happen on it."""
    system = make()
    system.apply(action(0, "switch", following=1))
    assert events(system) == {"step": 1}


def test_a_task_is_not_switched_to_twice() -> None:
    """What is current on a CPU, or about to be, is not runnable elsewhere."""
    system = make(cpus=2, tasks=3)
    system.apply(action(0, "switch", following=2))
    on_other = [a for a in enabled(system) if a.cpu == 1 and a.event == "switch"]
    assert on_other == [action(1, "switch", following=3)]


def test_without_migration_tasks_stay_at_home() -> None:
    """Task 2 starts on CPU 0 of two and never runs on CPU 1; children stay with the parent."""
    system = make(cpus=2, tasks=3, events=ALL_EVENTS - {Event.MIGRATE})
    targets = {(a.cpu, a["following"]) for a in enabled(system) if a.event == "switch"}
    assert targets == {(0, 2), (0, 3), (1, 3)}
    finish(system, action(0, "switch", following=2))
    finish(system, action(0, "exit"))
    finish(system, action(0, "switch", following=0))
    finish(system, action(1, "switch", following=3))
    finish(system, action(0, "fork", child=2))
    assert system.threads[2].home == 0


def test_an_allocation_has_one_step_for_each_outcome() -> None:
    """Before an allocation there is a step with every choice, last that it fails."""
    system = make()
    system.apply(ALL_ON)
    while not system.threads[0].positions[-1].allocates:
        system.apply(Action(0, "step"))
    choices = [a.choice for a in enabled(system) if a.event == "step"]
    assert choices == [0, system.heap_slots]


def test_faults_depend_on_what_is_refused() -> None:
    """A refused port that is not granted always exists here; a granted one only while lazy."""
    system = make(designs()["linux-2.6.10"])
    assert faults(system) == [0]
    finish(system, action(0, "ioperm", first=0, end=1, turn_on=1))
    assert faults(system) == [1, 0]
    finish(system, action(0, "fault", granted=1))
    assert system.threads[0].result is True
    assert faults(system) == [0]


READ = frozenset({Event.IOPERM, Event.PREEMPT, Event.READ_MAP})


def stoppable(system: System, cpu: int = 0) -> list[int]:
    """Return whose map can be read by the task on a CPU."""
    return [a["target"] for a in enabled(system) if a.event == "read-map" and a.cpu == cpu]


@pytest.mark.parametrize("name", ["linux-5.4", "linux-6.16"])
def test_a_task_is_stopped_only_while_it_waits_in_user_mode(name: str) -> None:
    """Not on a CPU, not preempted in a system call, but also just before its first instruction.

    So it is whether or not the design has a hook for the return to user mode.
    """
    system = make(designs()[name], cpus=2, tasks=3, events=READ)
    assert stoppable(system) == stoppable(system, 1) == [2]
    system.apply(ALL_ON)
    system.apply(action(0, "switch", following=2))
    assert stoppable(system, 1) == []  # one is in the kernel, one being switched to
    while system.processors[0].switching:
        system.apply(STEP)
    assert stoppable(system, 1) == []


def test_whoever_is_stopped_cannot_be_run_or_stopped_again() -> None:
    """Until the reader is done no CPU switches to it, and nobody else reads its map."""
    system = make(designs()["linux-6.16"], cpus=2, tasks=3, events=READ)
    system.apply(action(0, "read-map", target=2))
    assert [t.mode for t in system.threads[:3]] == [Mode.KERNEL, Mode.USER, Mode.STOPPED]
    assert stoppable(system, 1) == []
    assert not [a for a in enabled(system) if a.is_switch and a["following"] == 2]
    while system.threads[2].mode is Mode.STOPPED:
        system.apply(STEP)
    assert stoppable(system, 1) == [2]
    assert action(0, "switch", following=2) in enabled(system)


def test_only_designs_with_the_hook_have_readers() -> None:
    """In a kernel that shows nobody's map there is nothing to read."""
    assert stoppable(make(tasks=3, events=READ)) == []


def faults(system: System) -> list[int]:
    """Return for each possible fault whether the port is granted."""
    return [a["granted"] for a in enabled(system) if a.event == "fault"]


WALKS = {
    "linux-2.4.20": {"leak"},
    "linux-2.6.8": set(),
    "linux-2.6.9": {"leak", "loss"},
    "linux-5.4": set(),
    "linux-v2-06": {"leak"},
    "linux-060aa16f": {"NullDereference"},
    "linux-5.5-xen-pv": {"leak"},
}
"""What can go wrong when tasks neither fork nor exit."""


@pytest.mark.parametrize("name", WALKS)
def test_random_walks_find_what_is_known(name: str) -> None:
    """Random schedules find a known fault, and nothing but known faults."""
    design = designs()[name]
    wanted = {Event.IOPERM, Event.IOPL, Event.PREEMPT, Event.MIGRATE, Event.VM_EXIT}
    scenario = Scenario(cpus=2, tasks=3, longs=2, events=frozenset(wanted))
    systems = (System(design, scenario, exact(design.layout, 2), stepper=steps) for _ in range(25))
    found = {walk(system, seed) for seed, system in enumerate(systems)} - {""}
    assert found <= WALKS[name]
    assert bool(found) == bool(WALKS[name])


def walk(system: System, seed: int) -> str:
    """Take 300 random actions, mostly steps; return the violation, if any."""
    choose = random.Random(seed)
    for _ in range(300):
        possible = enabled(system)
        going_on = [a for a in possible if a.event == "step"]
        prefer_steps = bool(going_on) and choose.random() < 0.85
        try:
            system.apply(choose.choice(going_on if prefer_steps else possible))
        except KernelCrash as crash:
            return type(crash).__name__
        violation = finding(system)
        if violation is not None:
            return violation.kind
    return ""
