"""What can happen next: the most general environment, within the bounds of a scenario."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from iopermit.arch.lazy import np
from iopermit.system.events import Event, Precondition, Who, events_of
from iopermit.system.events.arguments import Choice
from iopermit.system.events.entries import RETURN_TO_USER
from iopermit.system.execution import CONTINUE, Action, Mode, Processor, Thread, action
from iopermit.system.simulation import System
from iopermit.system.specification import allowed_ports


def enabled(system: System) -> list[Action]:
    """Return everything that can happen in this state, for one CPU after the other."""
    return [possible for p in system.processors for possible in _on_cpu(system, p)]


def _on_cpu(system: System, processor: Processor) -> Iterator[Action]:
    thread = system.current(processor)
    if processor.switching:
        yield from _steps(system, processor.index, processor)
        return
    match thread.mode:
        case Mode.KERNEL:
            yield from _steps(system, processor.index, thread)
        case Mode.USER:
            yield from _events(system, processor, thread, Who.USER)
        case Mode.KERNEL_THREAD:
            yield from _events(system, processor, thread, Who.KERNEL_THREAD)
        case Mode.IDLE:
            yield from _events(system, processor, thread, Who.IDLE)
    yield from _switches(system, processor, thread)


def _steps(system: System, cpu: int, context: Processor | Thread) -> Iterator[Action]:
    name = context.positions[-1].allocates
    choices = system.choices(name) if name else [None]
    return (Action(cpu, CONTINUE, choice=choice) for choice in choices)


def _events(system: System, processor: Processor, thread: Thread, who: Who) -> Iterator[Action]:
    for event in events_of(who, system.scenario.events, system.has_hook):
        for choice in _GUARDS[event.guard](system, processor, thread, event):
            yield action(processor.index, event.name, **choice)


# Which of the arguments of an event are possible now.


def _any(system: System, _: Processor, __: Thread, event: Event) -> list[Choice]:
    return event.choices(system.scenario)


def _if_privileged(system: System, _: Processor, thread: Thread, event: Event) -> list[Choice]:
    return event.choices(system.scenario) if thread.record.privileged else []


def _in_free_slots(system: System, _: Processor, __: Thread, event: Event) -> list[Choice]:
    slots = system.child_slots()
    return [choice for choice in event.choices(system.scenario) if choice["child"] in slots]


def _if_stoppable(system: System, _: Processor, __: Thread, event: Event) -> list[Choice]:
    threads = system.threads
    return [c for c in event.choices(system.scenario) if _stoppable(system, threads[c["target"]])]


def _stoppable(system: System, thread: Thread) -> bool:
    """Return whether a task waits in user mode, or just before its return to it."""
    waits = thread.mode is Mode.USER or (
        thread.mode is Mode.KERNEL and thread.positions == (RETURN_TO_USER,)
    )
    return waits and not _on_some_cpu(system, thread)


def _if_refused(system: System, processor: Processor, thread: Thread, event: Event) -> list[Choice]:
    refused, granted = ~allowed_ports(system, processor, thread), thread.grants.allowed
    found = {1: np.any(refused & granted), 0: np.any(refused & ~granted)}
    return [choice for choice in event.choices(system.scenario) if found[choice["granted"]]]


def _if_others_stay_up(
    system: System, processor: Processor, _: Thread, event: Event
) -> list[Choice]:
    if len(system.processors) == 1 or not system.design.cpu_hotplug:
        return []
    if any(other.coming_up for other in system.processors):
        return []
    choices = event.choices(system.scenario)
    return [choice for choice in choices if choice.get("home") != processor.index]


_GUARDS: Final[
    Mapping[Precondition, Callable[[System, Processor, Thread, Event], list[Choice]]]
] = {
    Precondition.NONE: _any,
    Precondition.PRIVILEGED: _if_privileged,
    Precondition.FREE_SLOT: _in_free_slots,
    Precondition.STOPPABLE: _if_stoppable,
    Precondition.REFUSED: _if_refused,
    Precondition.OTHERS_STAY_UP: _if_others_stay_up,
}


# The scheduler.


def is_preemptible(system: System) -> bool:
    """Return whether kernel code can be preempted; else tasks are switched out where they sleep."""
    return system.scenario.has(Event.PREEMPT) and system.design.preemptible


def _switches(system: System, processor: Processor, thread: Thread) -> Iterator[Action]:
    can_switch = thread.preemptible if is_preemptible(system) else thread.sleeps
    if thread.mode is Mode.KERNEL and not can_switch:
        return
    for following in system.threads[: system.scenario.tasks]:
        if following is not thread and _runnable(system, processor, following):
            yield action(processor.index, Event.SWITCH.name, following=following.index)
    if thread.mode is not Mode.IDLE:
        yield action(processor.index, Event.SWITCH.name, following=system.scenario.tasks)


def _runnable(system: System, processor: Processor, thread: Thread) -> bool:
    if thread.mode in (Mode.FREE, Mode.EMBRYO, Mode.STOPPED, Mode.DEAD):
        return False
    if not system.scenario.has(Event.MIGRATE) and thread.home != processor.index:
        return False
    return not _on_some_cpu(system, thread)


def _on_some_cpu(system: System, thread: Thread) -> bool:
    """Return whether a CPU executes a task, or is switching to it or away from it."""
    return any(
        thread is p.following or thread.record is p.record.current for p in system.processors
    )
