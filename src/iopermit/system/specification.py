"""The specification: what a task may use is what it was granted, in every state."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from iopermit import arch
from iopermit.arch.lazy import np
from iopermit.system.events.hooks import GENERAL_PROTECTION
from iopermit.system.execution import Gain, Mode, Processor, Thread
from iopermit.system.simulation import System

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ranges = tuple[tuple[int, int], ...]
"""Ports as inclusive ranges (first, last)."""

Kind = Literal["leak", "loss", "garbage"]


@dataclass(frozen=True)
class Finding:
    """What the specification forbids in a state.

    Attributes:
        kind: `leak`: ports are allowed that were not granted; `loss`: granted ports are
            refused; `garbage`: a heap object that nothing refers to. (A crash is an exception.)
        task: number of the task, or None for garbage.
        cpu: number of its CPU, or None for garbage.
        ports: the ports that are wrong.
        allowed: the ports that the processor allows it.
        granted: the ports that the task was granted.
        unreachable: class and slot of the object that is garbage, if they are known.
        without_privilege: whether the leak is that a call granted `ports` to a task without
            CAP_SYS_RAWIO; `granted` is then what it was granted before.
        livelock: whether the loss is that the #GP handler has said "again" so often in a row that
            it may do so for ever. Whether it does, is found out by going on
            (:mod:`iopermit.search.counterexample.livelock`).
    """

    kind: Kind
    task: int | None = None
    cpu: int | None = None
    ports: Ranges = ()
    allowed: Ranges = ()
    granted: Ranges = ()
    unreachable: tuple[str, int] | None = None
    without_privilege: bool = False
    livelock: bool = False


def allowed_ports(system: System, processor: Processor, thread: Thread) -> NDArray[np.bool_]:
    """Return for each of the 65,536 ports whether the processor lets `thread` use it now."""
    return processor.allowed_ports(system.design, thread)


def finding(system: System) -> Finding | None:
    """Return what is wrong in the present state, or None.

    User code is checked on every CPU that executes it. Losses are not, if the design has a
    handler of #GP: there the loss is a refusal that the handler did not repair, because it gave
    up, or though it says that it did, again and again. In a scenario
    with an unprivileged task, leaks to privileged tasks do not count.
    """
    if system.gain is not None:
        return _without_privilege(system, system.gain)
    if system.refused is not None:
        thread = system.refused
        return _loss(system, system.processors[thread.cpu], thread)
    row = None
    for processor in system.processors:
        thread = system.current(processor)
        if not processor.switching and thread.mode is Mode.USER:
            found = _of_user_code(system, processor, thread)
            if found is not None and not found.livelock:
                return found
            row = row or found
    # That of which it is not known whether it is wrong comes last.
    return (_garbage(system) if system.scenario.garbage else None) or row


def _of_user_code(system: System, processor: Processor, thread: Thread) -> Finding | None:
    allowed, granted = allowed_ports(system, processor, thread), thread.grants.allowed
    counts = not (system.scenario.unprivileged and thread.record.privileged)
    if counts and np.any(allowed & ~granted):
        return _finding("leak", processor, thread, allowed)
    if not np.any(granted & ~allowed):
        return None
    if not system.has_hook(GENERAL_PROTECTION.name):
        return _finding("loss", processor, thread, allowed)
    if thread.refusals == system.scenario.most_refusals:
        return replace(_finding("loss", processor, thread, allowed), livelock=True)
    return None


def _without_privilege(system: System, gain: Gain) -> Finding:
    thread = gain.thread
    allowed = allowed_ports(system, system.processors[thread.cpu], thread)
    return Finding(
        "leak",
        thread.index,
        thread.cpu,
        tuple(arch.as_ranges(gain.ports)),
        allowed=tuple(arch.as_ranges(allowed)),
        granted=tuple(arch.as_ranges(gain.granted)),
        without_privilege=True,
    )


def _loss(system: System, processor: Processor, thread: Thread) -> Finding:
    return _finding("loss", processor, thread, allowed_ports(system, processor, thread))


def _finding(
    kind: Kind, processor: Processor, thread: Thread, allowed: NDArray[np.bool_]
) -> Finding:
    granted = thread.grants.allowed
    wrong = allowed & ~granted if kind == "leak" else granted & ~allowed
    return Finding(
        kind,
        thread.index,
        processor.index,
        tuple(arch.as_ranges(wrong)),
        allowed=tuple(arch.as_ranges(allowed)),
        granted=tuple(arch.as_ranges(granted)),
    )


def _garbage(system: System) -> Finding | None:
    """Look for an object in use that no field and no live local variable refers to."""
    referenced = system.referenced()
    for name, pool in system.pools.items():
        for slot, heap_object in enumerate(pool.objects):
            if pool.used[slot] and id(heap_object) not in referenced:
                return Finding("garbage", unreachable=(name, slot))
    return None
