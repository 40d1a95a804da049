"""What tests of the system share: making one, and letting things happen on its CPUs."""

from collections.abc import Callable

import pytest
from tests.support.system.tiny_design import Tiny

from iopermit.system.concretion import Concretion, exact
from iopermit.system.design import Design
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.execution import Action, Mode, action
from iopermit.system.machine_state import TssLayout
from iopermit.system.scenario import Scenario
from iopermit.system.simulation import System
from iopermit.translate.stepping.generators import steps

STEP = Action(0, "step")
ALL_ON = action(0, "ioperm", first=0, end=2, turn_on=1)


def make(
    design: type[Design] = Tiny,
    *,
    cpus: int = 1,
    tasks: int = 2,
    events: frozenset[Event] = ALL_EVENTS,
    unprivileged: bool = False,
    concretion: Callable[[TssLayout, int], Concretion] = exact,
) -> System:
    """Return a system with two longs, executed in steps."""
    scenario = Scenario(cpus, tasks, 2, events, unprivileged)
    return System(design, scenario, concretion(design.layout, 2), stepper=steps)


def finish(system: System, first: Action) -> None:
    """Let something happen and execute its CPU until no kernel code is left."""
    system.apply(first)
    processor = system.processors[first.cpu]
    while processor.switching or system.current(processor).mode is Mode.KERNEL:
        system.apply(Action(first.cpu, "step"))


def finish_switch(system: System, cpu: int = 0) -> None:
    """Execute the steps of a context switch."""
    while system.processors[cpu].switching:
        system.apply(Action(cpu, "step"))


def advance_to(system: System, function: str) -> None:
    """Execute steps of CPU 0 until the next one is in a function."""
    for _ in range(100):
        processor = system.processors[0]
        context = processor if processor.switching else system.current(processor)
        if context.positions and context.positions[-1].function == function:
            return
        system.apply(STEP)
    pytest.fail(f"{function} is never reached")


def free_slot(system: System) -> None:
    """Let task 1 exit and be switched out on CPU 0, then task 0 run again."""
    finish(system, action(0, "switch", following=1))
    finish(system, action(0, "exit"))
    assert system.threads[1].mode is Mode.DEAD
    finish(system, action(0, "switch", following=0))
