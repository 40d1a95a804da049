"""Edits that change nothing that a task could notice: the tree holds."""

from __future__ import annotations

from typing import Final

from tests.support.kernel.faults import HARMLESS, IOPORT, PROCESS
from tests.support.kernel.hidden_faults import NEXT_NUMBER, STALE_TEST
from tests.support.kernel.planted.documented import DESC
from tests.support.kernel.planted.fault import (
    HOLDS,
    PREEMPTED,
    TWO_CPUS,
    PlantedFault,
    planted,
)
from tests.support.kernel.rule_faults import ENTRY, PROCESS_H

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

_FEW: Final = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.FORK, Event.EXIT}))
_VM_EXITS: Final = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.VM_EXIT, Event.PREEMPT}))
_PREEMPTED: Final = Scenario(1, 2, 1, PREEMPTED.events)
_WORKERS: Final = Scenario(
    1, 2, 1, frozenset({Event.IOPERM, Event.IO_THREAD, Event.FORK_FAILS, Event.EXIT})
)


def _harmless(what: str, *changes: tuple[str, str, str], scenario: Scenario = _FEW) -> PlantedFault:
    return planted(what, HOLDS, "", *changes, scenario=scenario)


HARMLESS_EDITS: Final = {
    **{
        name: PlantedFault(edit.what, (edit,), frozenset({HOLDS}), scenario=_FEW)
        for name, edit in HARMLESS.items()
    },
    "mark-never-falls": _harmless(
        "never lower the dirty mark",
        (PROCESS, r"prev_max = iobm->max;", "prev_max = max(tss->io_bitmap.prev_max, iobm->max);"),
    ),
    "whole-copy": _harmless(
        "copy every map as a whole",
        (PROCESS, r"max\(tss->io_bitmap\.prev_max, iobm->max\)", "IO_BITMAP_BYTES"),
    ),
    "every-time": _harmless("copy a map at every update", (PROCESS, STALE_TEST, "true")),
    "every-switch": _harmless(
        "invalidate the base at every switch that has other work, too",
        (PROCESS, r"if \(tifp & _TIF_IO_BITMAP\)(\s*tss_invalidate)", r"\1"),
    ),
    "every-task": _harmless(
        "do the work of a switch at every switch",
        (
            PROCESS_H,
            r"unlikely\(next_tif & _TIF_WORK_CTXSW_NEXT \|\|",
            "unlikely(1 || next_tif & _TIF_WORK_CTXSW_NEXT ||",
        ),
        scenario=_PREEMPTED,
    ),
    "limit-restored-late": _harmless(
        "note a VM exit only, and restore the limit on the way to user mode",
        (
            DESC,
            (
                r"if \(unlikely\(test_thread_flag\(TIF_IO_BITMAP\)\)\)\s*"
                r"force_reload_TR\(\);\s*else\s*"
            ),
            "",
        ),
        scenario=_VM_EXITS,
    ),
    "limit-restored-often": _harmless(
        "restore the limit at every update",
        (
            DESC,
            r"if \(unlikely\(this_cpu_read\(__tss_limit_invalid\)\)\)(\s*force_reload_TR)",
            r"\1",
        ),
        scenario=_VM_EXITS,
    ),
    "freed-first": _harmless(
        "free the map before the TSS is updated",
        (
            IOPORT,
            (
                r"(\tif \(tsk == current\)\s*task_update_io_bitmap\(\);\s*)"
                r"(\tif \(iobm && refcount_dec_and_test\(&iobm->refcnt\)\)\s*kfree\(iobm\);\s*)"
            ),
            r"\2\1",
        ),
    ),
    "flag-first": _harmless(
        "set the flag before the pointer",
        (
            IOPORT,
            r"(t->io_bitmap = iobm;)(.*?)(set_thread_flag\(TIF_IO_BITMAP\);)",
            r"\3\2\1",
        ),
        scenario=_PREEMPTED,
    ),
    "number-by-inc": _harmless(
        "take the next number by another atomic instruction",
        (IOPORT, NEXT_NUMBER, "iobm->sequence = atomic64_inc_return(&io_bitmap_sequence);"),
        scenario=_PREEMPTED,
    ),
    "flag-of-a-cpu": _harmless(
        "note per CPU that a map was copied",
        (
            PROCESS,
            r"(static void tss_copy_io_bitmap\()",
            r"static DEFINE_PER_CPU(bool, map_was_copied);\n\n\1",
        ),
        (
            PROCESS,
            r"(\ttss_copy_io_bitmap\(tss, iobm\);)",
            r"{\n\t\1\n\t\t\tthis_cpu_write(map_was_copied, true);\n\t\t}",
        ),
    ),
    "flag-of-all-cpus": _harmless(
        "note for all CPUs that a map was copied, by an instruction without lock",
        (
            PROCESS,
            r"(static void tss_copy_io_bitmap\()",
            r"static unsigned long map_was_copied;\n\n\1",
        ),
        (
            PROCESS,
            r"(\ttss_copy_io_bitmap\(tss, iobm\);)",
            r"{\n\t\1\n\t\t\tmap_was_copied |= 1;\n\t\t}",
        ),
        scenario=TWO_CPUS,
    ),
    "flag-of-a-thread": _harmless(
        "note in the thread that its map was changed",
        (
            "arch/x86/include/asm/processor.h",
            r"(\n\tunsigned long\s+iopl_emul;)",
            r"\1\n\tunsigned long\t\tmap_changed;",
        ),
        (IOPORT, r"(\tt->io_bitmap = iobm;)", r"\1\n\tt->map_changed = 1;"),
    ),
    "swapped-tests": _harmless(
        "ask for the work on the way to user mode in another way",
        (ENTRY, r"unlikely\(ti_work & _TIF_IO_BITMAP\)", "likely((ti_work >> TIF_IO_BITMAP) & 1)"),
        scenario=TWO_CPUS,
    ),
    "worker-with-a-map": _harmless(
        "share the map with workers of the kernel, too",
        (
            PROCESS,
            r"(if \(unlikely\(args->fn\)\) \{)(.*?return 0;)",
            r"\1\n\t\tif (test_thread_flag(TIF_IO_BITMAP))\n\t\t\tio_bitmap_share(p);\2",
        ),
        scenario=_WORKERS,
    ),
    "worker-keeps-the-flag": _harmless(
        "leave the flag of the parent to workers, which the end of a task clears (not so in B10)",
        (PROCESS, r"clear_tsk_thread_flag\(p, TIF_IO_BITMAP\);", ""),
        scenario=_WORKERS,
    ),
}
