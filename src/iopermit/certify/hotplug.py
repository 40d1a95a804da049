"""CPU hotplug: a CPU that has nothing to run goes down, and comes up again.

The rules, in this checker's own words. A CPU can do so while its idle task runs and it is not
switching, if there is another CPU and none is coming up. TR is loaded at once. The tasks that are
bound to the CPU, in a scenario where tasks do not migrate, are bound to another one, the same for
all. Then ``bring_up`` runs with interrupts off, step by step; while it does, the idle task is also
the next one, and the last step, after the hook, undoes that. Without the hook it is up at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from iopermit.certify.errors import UnacceptableError
from iopermit.certify.language.source import has_hook
from iopermit.certify.state import FREE
from iopermit.system.events import Event, Precondition, Who, events_of
from iopermit.system.events.hooks import BRING_UP
from iopermit.system.events.operations import Call, Effect

if TYPE_CHECKING:
    from iopermit.certify.kernel import Kernel
    from iopermit.certify.state import Batch, Table
    from iopermit.system.design import Design
    from iopermit.system.events.arguments import Choice
    from iopermit.system.scenario import Scenario

Flags = NDArray[np.bool_]
_KNOWN: Final = {Effect.LOAD_TASK_REGISTER, Effect.MOVE_TASKS}


def idle_events(design: type[Design], scenario: Scenario) -> list[Event]:
    """Return what idle CPUs can do.

    Raises:
        UnacceptableError: it is something else than to go down and come up again.
    """
    found = events_of(Who.IDLE, scenario.events, lambda name: has_hook(design, name))
    for event in found:
        operation = event.operation
        assert operation is not None  # what events_of() asks for
        hooks = [node.hook if isinstance(node, Call) else None for node in operation.body]
        known = event.guard is Precondition.OTHERS_STAY_UP and hooks == [BRING_UP]
        if set(operation.at_once) != _KNOWN or not known:
            raise UnacceptableError(f"this checker does not know what {event.name!r} is")
    return found if design.cpu_hotplug else []


def can_go_down(kernel: Kernel, table: Table, cpu: int, choice: Choice) -> Flags:
    """Return in which states a CPU may go down that has nothing to run."""
    layout, cpus = kernel.layout, kernel.scenario.cpus
    if cpus == 1 or choice.get("home") == cpu:
        return np.zeros(len(table), bool)
    current = [layout["cpu", "current"].at(each) for each in range(cpus)]
    following = [layout["cpu", "following"].at(each) for each in range(cpus)]
    coming_up: Flags = (table[:, current] == table[:, following]).any(axis=1)
    return ~coming_up


def go_down(kernel: Kernel, b: Batch, choice: Choice) -> None:
    """Let the CPU go down, and begin to come up."""
    layout = kernel.layout
    b.put(layout["cpu", "tr_limit_low"], 0)
    if "home" in choice:
        home, at = layout["task", "home"], layout["task", "at"]
        for slot in range(kernel.scenario.tasks):
            there = b.load(home, slot, b.rows) == b.cpu
            moved = np.flatnonzero(there & (b.load(at, slot, b.rows) != FREE))
            b.store(home, slot, moved, choice["home"])
    entry = kernel.entries["bring_up"]
    if entry != FREE:
        b.put(layout["cpu", "following"], b.get(layout["cpu", "current"]))
        b.put(layout["cpu", "at"], entry)
