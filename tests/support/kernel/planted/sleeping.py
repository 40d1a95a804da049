"""Faults of code that sleeps, in kernels that cannot be preempted and where it must not."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.support.kernel.faults import IOPORT, PROCESS
from tests.support.kernel.planted.fault import CALLS, PlantedFault, planted

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

_DROP: Final = "task_update_io_bitmap"
_DROPS: Final = r"preempt_disable\(\);\s*(clear_\w*\([^;]*\);)"
"""A task gives up its map: in the repaired trees, with preemption off."""
_VOLUNTARY: Final = Scenario(1, 2, 2, frozenset({Event.IOPERM}))
_DYING: Final = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.EXIT}))
_EXIT_DROPS: Final = r"(if \(test_thread_flag\(TIF_IO_BITMAP\)\))(\s*io_bitmap_exit\(tsk\);)"
_UPDATES_ON_SWITCH: Final = (
    PROCESS,
    r"(switch_to_bitmap\(tifp\);)",
    r"\1\n\tif (tifn & _TIF_IO_BITMAP)\n\t\tnative_tss_update_io_bitmap();",
)
"""The TSS is updated as soon as a task is switched to, and once more on its way to user mode."""
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
    "allocates-in-real-time": replace(
        planted(
            "allocate without waiting with preemption off, where every allocation may sleep",
            "crash",
            _DROP,
            (IOPORT, _DROPS, rf"preempt_disable();\n\t\t{_ALLOCATES % 'GFP_ATOMIC'}\n\t\t\1"),
            says="sleeping locks",
        ),
        configuration="rt",
        versions=("6.12",),
    ),
    "frees-in-real-time": replace(
        planted(
            "free memory with preemption off, where that may sleep, too",
            "crash",
            _DROP,
            (
                IOPORT,
                _DROPS,
                (
                    r"void *gone = kmalloc(8, GFP_KERNEL);"
                    r"\n\n\t\tpreempt_disable();\n\t\tkfree(gone);\n\t\t\1"
                ),
            ),
            says="kfree(), which takes sleeping locks",
        ),
        configuration="rt",
        versions=("6.12",),
    ),
    "flag-left-by-exit": planted(
        "leave the flag to an exiting task, whose map is gone when it is switched to again",
        "crash",
        "native_tss_update_io_bitmap __switch_to_xtra",
        _UPDATES_ON_SWITCH,
        (
            PROCESS,
            _EXIT_DROPS,
            r"\1 {\2\n\t\tif (tsk == current)\n\t\t\tset_thread_flag(TIF_IO_BITMAP);\n\t}",
        ),
        scenario=_DYING,
    ),
    "exit-takes-the-map-for-its-own": planted(
        "clear the exiting task's extent in the TSS, where another task's map may be by then",
        "leak",
        "exit_thread native_tss_update_io_bitmap ksys_ioperm",
        (
            PROCESS,
            _EXIT_DROPS,
            (
                r"\1 {\n\t\tif (tsk == current && t->io_bitmap) {\n"
                r"\t\t\tstruct tss_struct *tss = this_cpu_ptr(&cpu_tss_rw);\n\n"
                r"\t\t\tmemset(tss->io_bitmap.bitmap, 0xff, t->io_bitmap->max);\n"
                r"\t\t\ttss->io_bitmap.prev_max = 0;\n"
                r"\t\t\ttss->io_bitmap.prev_sequence = 0;\n\t\t}\2\n\t}"
            ),
        ),
        scenario=Scenario(1, 2, 2, _DYING.events),
    ),
    "updates-on-switch": planted(
        "update the TSS as soon as a task is switched to",
        "holds",
        "__switch_to_xtra",
        _UPDATES_ON_SWITCH,
        scenario=_DYING,
    ),
}
