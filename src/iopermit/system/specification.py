"""The specification: what a task may use is what it was granted, in every state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from iopermit import arch
from iopermit.arch.lazy import np
from iopermit.system.execution import Mode, Processor, Thread
from iopermit.system.simulation import System

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ranges = tuple[tuple[int, int], ...]
"""Ports as inclusive ranges (first, last)."""

Kind = Literal["leak", "loss", "garbage"]


@dataclass(frozen=True)
class Violation:
    """A state that the specification forbids.

    Attributes:
        kind: `leak`: ports are allowed that were not granted; `loss`: granted ports are
            refused; `garbage`: a heap object that nothing refers to. (A crash is an exception.)
        message: what is wrong, in one sentence.
        task: number of the task, or None for garbage.
        cpu: number of its CPU, or None for garbage.
        ports: the ports that are wrong.
        granted: the ports that the task was granted.
        allowed: the ports that the processor allows it.
    """

    kind: Kind
    message: str
    task: int | None = None
    cpu: int | None = None
    ports: Ranges = ()
    granted: Ranges = ()
    allowed: Ranges = ()


def allowed_ports(system: System, processor: Processor, thread: Thread) -> NDArray[np.bool_]:
    """Return for each of the 65,536 ports whether the processor lets `thread` use it now."""
    return arch.permitted_ports(
        1,
        cpl=arch.MAX_PRIVILEGE_LEVEL,
        iopl=system.design.iopl_in_force(processor.record, thread.record),
        vm86=False,
        protected=True,
        tss=system.tss_view(processor),
    )


def judge(system: System) -> Violation | None:
    """Return what is wrong in the present state, or None.

    User code is judged on every CPU that executes it. Losses are not, if the design has a
    handler of #GP: there the loss is a refusal that the handler did not repair. In a scenario
    with an unprivileged task, leaks to privileged tasks do not count.
    """
    if system.refused is not None:
        thread = system.refused
        return _loss(system, system.processors[thread.cpu], thread)
    for processor in system.processors:
        thread = system.current(processor)
        if not processor.switching and thread.mode is Mode.USER:
            found = _judge_user(system, processor, thread)
            if found is not None:
                return found
    return _garbage(system) if system.scenario.garbage else None


def _judge_user(system: System, processor: Processor, thread: Thread) -> Violation | None:
    allowed, granted = allowed_ports(system, processor, thread), thread.grants.allowed
    counts = not (system.scenario.unprivileged and thread.record.privileged)
    if counts and np.any(allowed & ~granted):
        return _violation("leak", processor, thread, allowed)
    if np.any(granted & ~allowed) and not system.has_hook("general_protection"):
        return _violation("loss", processor, thread, allowed)
    return None


def _loss(system: System, processor: Processor, thread: Thread) -> Violation:
    return _violation("loss", processor, thread, allowed_ports(system, processor, thread))


def _violation(
    kind: Kind, processor: Processor, thread: Thread, allowed: NDArray[np.bool_]
) -> Violation:
    granted = thread.grants.allowed
    wrong = allowed & ~granted if kind == "leak" else granted & ~allowed
    ports = tuple(arch.as_ranges(wrong))
    text = arch.format_ranges(ports)
    message = (
        f"task {thread.index} may use ports {text}, which it was not granted"
        if kind == "leak"
        else f"task {thread.index} may not use ports {text}, which it was granted"
    )
    return Violation(
        kind,
        message,
        thread.index,
        processor.index,
        ports,
        tuple(arch.as_ranges(granted)),
        tuple(arch.as_ranges(allowed)),
    )


def _garbage(system: System) -> Violation | None:
    """Look for an object in use that no field and no live local variable refers to."""
    referenced = system.referenced()
    for name, pool in system.pools.items():
        for heap_object in pool.in_use():
            if id(heap_object) not in referenced:
                slot = pool.slot_of(heap_object)
                return Violation("garbage", f"nothing refers to {name} {slot}, which is in use")
    return None
