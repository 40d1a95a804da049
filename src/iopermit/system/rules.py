"""What can happen next: the most general environment, within the bounds of a scenario."""

from __future__ import annotations

from collections.abc import Iterator

from iopermit.arch.lazy import np
from iopermit.system.execution import Action, Mode, Processor, Thread, action
from iopermit.system.scenario import Event, Scenario
from iopermit.system.simulation import System
from iopermit.system.specification import allowed_ports


def enabled(system: System) -> list[Action]:
    """Return everything that can happen in this state, for one CPU after the other."""
    return [possible for p in system.processors for possible in _on_cpu(system, p)]


def calls(scenario: Scenario, cpu: int) -> Iterator[Action]:
    """Yield the ioperm and iopl calls that user code on a CPU can make, one of them invalid."""
    if scenario.has(Event.IOPERM):
        for turn_on in (1, 0):
            for first, end in scenario.ranges:
                yield action(cpu, "ioperm", first=first, end=end, turn_on=turn_on)
        yield action(cpu, "ioperm", first=0, end=0, turn_on=1)
    if scenario.has(Event.IOPL):
        yield from (action(cpu, "iopl", level=level) for level in (3, 0))


def _on_cpu(system: System, processor: Processor) -> Iterator[Action]:
    thread = system.current(processor)
    if processor.switching:
        yield from _steps(system, processor.index, processor)
        return
    match thread.mode:
        case Mode.KERNEL:
            yield from _steps(system, processor.index, thread)
        case Mode.USER:
            yield from _user_events(system, processor, thread)
        case Mode.KERNEL_THREAD:
            yield from _thread_events(system, processor.index)
    yield from _switches(system, processor, thread)


def _steps(system: System, cpu: int, context: Processor | Thread) -> Iterator[Action]:
    name = context.positions[-1].allocates
    choices = system.choices(name) if name else [None]
    return (Action(cpu, "step", choice=choice) for choice in choices)


def _user_events(system: System, processor: Processor, thread: Thread) -> Iterator[Action]:
    scenario, cpu = system.scenario, processor.index
    yield from calls(scenario, cpu)
    for event in (Event.FORK, Event.FORK_FAILS):
        if scenario.has(event):
            yield from _forks(system, cpu, event.value)
    yield from _thread_events(system, cpu)
    if scenario.has(Event.EXEC):
        yield action(cpu, "exec")
    if scenario.has(Event.DROP_PRIVILEGE) and thread.record.privileged:
        yield action(cpu, "drop-privilege")
    if scenario.has(Event.VM_EXIT) and system.has_hook("vm_exit"):
        yield action(cpu, "vm-exit")
    yield from _faults(system, processor, thread)


def _thread_events(system: System, cpu: int) -> Iterator[Action]:
    scenario = system.scenario
    if scenario.has(Event.IO_THREAD):
        yield from _forks(system, cpu, "io-thread")
        if scenario.has(Event.FORK_FAILS):
            yield from _forks(system, cpu, "io-thread-fails")
    if scenario.has(Event.EXIT):
        yield action(cpu, "exit")


def _forks(system: System, cpu: int, event: str) -> Iterator[Action]:
    return (action(cpu, event, child=slot) for slot in system.child_slots())


def _faults(system: System, processor: Processor, thread: Thread) -> Iterator[Action]:
    if not system.has_hook("general_protection"):
        return
    refused = ~allowed_ports(system, processor, thread)
    if np.any(refused & thread.grants.allowed):
        yield action(processor.index, "fault", granted=1)
    if np.any(refused & ~thread.grants.allowed):
        yield action(processor.index, "fault", granted=0)


def _switches(system: System, processor: Processor, thread: Thread) -> Iterator[Action]:
    preempted = system.scenario.has(Event.PREEMPT) and system.design.preemptible
    if thread.mode is Mode.KERNEL and not (preempted and thread.preemptible):
        return
    for following in system.threads[: system.scenario.tasks]:
        if following is not thread and _runnable(system, processor, following):
            yield action(processor.index, "switch", following=following.index)
    if thread.mode is not Mode.IDLE:
        yield action(processor.index, "switch", following=system.scenario.tasks)


def _runnable(system: System, processor: Processor, thread: Thread) -> bool:
    if thread.mode in (Mode.FREE, Mode.EMBRYO, Mode.DEAD):
        return False
    if not system.scenario.has(Event.MIGRATE) and thread.home != processor.index:
        return False
    return not any(
        thread is p.following or thread.record is p.record.current for p in system.processors
    )
