"""Faults of code that sleeps, in kernels that cannot be preempted and where it must not."""

from __future__ import annotations

from typing import Final

from tests.support.kernel.faults import IOPORT
from tests.support.kernel.planted.fault import CALLS, PlantedFault, planted

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

_DROP: Final = "task_update_io_bitmap"
_DROPS: Final = r"preempt_disable\(\);\s*(clear_\w*\([^;]*\);)"
"""A task gives up its map: in the repaired trees, with preemption off."""
_VOLUNTARY: Final = Scenario(1, 2, 2, frozenset({Event.IOPERM}))
_ALLOCATES: Final = "kfree(kmalloc(8, %s));"

SLEEPING_FAULTS: Final[dict[str, PlantedFault]] = {
    "sleeps-before-the-update": planted(
        "allocate between the end of the flag and the update of the TSS",
        "leak",
        _DROP,
        (IOPORT, _DROPS, rf"\1\n\t\t{_ALLOCATES % 'GFP_KERNEL'}\n\t\tpreempt_disable();"),
        scenario=_VOLUNTARY,
    ),
    "sleeps-with-preemption-off": planted(
        "wait for memory with preemption off",
        "crash",
        _DROP,
        (IOPORT, _DROPS, rf"preempt_disable();\n\t\t{_ALLOCATES % 'GFP_KERNEL'}\n\t\t\1"),
        says="an allocation that may sleep",
    ),
    "allocates-with-preemption-off": planted(
        "allocate without waiting with preemption off",
        "holds",
        _DROP,
        (IOPORT, _DROPS, rf"preempt_disable();\n\t\t{_ALLOCATES % 'GFP_ATOMIC'}\n\t\t\1"),
        scenario=CALLS,
    ),
}
