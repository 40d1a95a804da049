"""The bugs of docs/bugs.md, planted in today's code as far as they fit it."""

from __future__ import annotations

from typing import Final

from tests.support.kernel.faults import FAULTS, IOPORT, PROCESS, Edit
from tests.support.kernel.hidden_faults import NEXT_NUMBER, STALE_TEST
from tests.support.kernel.planted.fault import CALLS, TASKS, PlantedFault, planted
from tests.support.kernel.rule_faults import COMMON

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

DESC: Final = "arch/x86/include/asm/desc.h"
_KSYS: Final = "ksys_ioperm"
_UPDATE: Final = "native_tss_update_io_bitmap"
_PLAIN: Final = Scenario(1, 2, 2, frozenset({Event.IOPERM}))
_FAILED_FORKS: Final = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.FORK_FAILS, Event.EXIT}))
_VM_EXITS: Final = Scenario(1, 1, 1, frozenset({Event.IOPERM, Event.VM_EXIT}))
_TSS: Final = (
    "preempt_disable();\n\t{ struct tss_struct *tss = this_cpu_ptr(&cpu_tss_rw);\n"
    "\tunsigned int end = %s;\n"
    "\tmemcpy(tss->io_bitmap.bitmap, iobm->bitmap, end);\n\t%s"
    "\ttss->io_bitmap.prev_sequence = iobm->sequence;\n"
    "\ttss->x86_tss.io_bitmap_base = IO_BITMAP_OFFSET_VALID_MAP; }\n\tpreempt_enable();"
)
"""What ioperm() did itself in patch V2 06/16: up to where it copies, and the mark."""


def _existing(edit: Edit, kinds: str, source: str, functions: str = "") -> PlantedFault:
    names = frozenset((functions or edit.function).split())
    return PlantedFault(edit.what, (edit,), frozenset(kinds.split()), names, TASKS, "", source)


def _writes_tss(what: str, end: str, mark: str, source: str) -> PlantedFault:
    return planted(
        what,
        "leak",
        _KSYS,
        (IOPORT, f"({NEXT_NUMBER})", r"\1\n\n\t" + _TSS % (end, mark)),
        scenario=_PLAIN,
        source=source,
    )


DOCUMENTED_FAULTS: Final = {
    "ioperm-copies-its-own-extent": _writes_tss(
        "ioperm() copies the own extent of a map into the TSS itself",
        "iobm->max",
        "tss->io_bitmap.prev_max = max(tss->io_bitmap.prev_max, iobm->max);\n",
        "B1",
    ),
    "ioperm-keeps-the-mark": _writes_tss(
        "ioperm() copies a map into the TSS itself and does not raise the dirty mark",
        "max(tss->io_bitmap.prev_max, iobm->max)",
        "",
        "B2",
    ),
    "ioperm-lowers-the-mark": _writes_tss(
        "ioperm() copies the own extent of a map into the TSS itself and lowers the dirty mark",
        "iobm->max",
        "tss->io_bitmap.prev_max = iobm->max;\n",
        "B2'",
    ),
    "first-ioperm-reads-null": planted(
        "read the old size before there is a map",
        "crash",
        _KSYS,
        (
            IOPORT,
            r"(iobm = t->io_bitmap;\s*if \(!iobm\))",
            r"max_long = READ_ONCE(t->io_bitmap->max);\n\t\1",
        ),
        source="B3",
    ),
    "copied-count": _existing(FAULTS["copied-count"], "garbage", "B4"),
    "size-rounded-down": planted(
        "round the size of a map down",
        "loss",
        _KSYS,
        (
            IOPORT,
            r"\(max_long \+ 1\) \* sizeof\(unsigned long\)",
            "max_long * sizeof(unsigned long)",
        ),
        source="B5",
    ),
    "no-iopl-branch": planted(
        "test a configuration symbol that there is not",
        "crash",
        _UPDATE,
        (
            PROCESS,
            r"IS_ENABLED\(CONFIG_X86_IOPL_IOPERM\) && t->iopl_emul",
            "IS_ENABLED(CONFIG_X86_IOPL_EMULATION) && t->iopl_emul",
        ),
        scenario=Scenario(1, 1, 1, frozenset({Event.IOPL})),
        source="B6",
    ),
    "exit-current": _existing(FAULTS["exit-current"], "garbage loss", "B9"),
    "failed-fork-takes-the-ports": planted(
        "take flag and ports away from current if another task exits",
        "loss",
        "io_bitmap_exit",
        (
            IOPORT,
            r"(if \(tsk == current\)\s*task_update_io_bitmap\(\);)",
            (
                r"\1\n\telse {\n\t\tclear_thread_flag(TIF_IO_BITMAP);\n\t\tpreempt_disable();\n"
                r"\t\ttss_invalidate_io_bitmap();\n\t\tpreempt_enable();\n\t}"
            ),
        ),
        scenario=_FAILED_FORKS,
        source="B9",
    ),
    "failed-fork-clears-the-flag": planted(
        "clear the flag of current, whichever task exits",
        "garbage loss",
        "exit_thread",
        (
            PROCESS,
            r"if \(test_thread_flag\(TIF_IO_BITMAP\)\)(\s*io_bitmap_exit)",
            r"if (test_and_clear_thread_flag(TIF_IO_BITMAP))\1",
        ),
        scenario=TASKS,
        source="B11",
    ),
    "valid-without-a-copy": planted(
        "make the base valid and change only the bits that were asked for",
        "leak loss",
        _UPDATE,
        (PROCESS, STALE_TEST, "iobm->max > tss->io_bitmap.prev_max"),
        scenario=_PLAIN,
        source="B12",
    ),
    "owner-of-the-map": planted(
        "remember per CPU whose map was copied, by address, and copy no other way",
        "leak loss",
        _UPDATE,
        (
            PROCESS,
            r"(static void tss_copy_io_bitmap\()",
            r"static DEFINE_PER_CPU(struct io_bitmap *, tss_owner);\n\n\1",
        ),
        (PROCESS, STALE_TEST, "this_cpu_read(tss_owner) != iobm"),
        (
            PROCESS,
            r"(tss_copy_io_bitmap\(tss, iobm\);)",
            r"{ \1 this_cpu_write(tss_owner, iobm); }",
        ),
        scenario=_PLAIN,
        source="B15",
    ),
    "limit-not-refreshed": planted(
        "do not restore the limit of the TSS after a VM exit",
        "loss",
        _UPDATE,
        (PROCESS, r"refresh_tss_limit\(\);", ""),
        scenario=_VM_EXITS,
        source="B16",
    ),
    "limit-not-noted": planted(
        "do not note that a VM exit shortened the limit",
        "loss",
        "invalidate_tss_limit",
        (DESC, r"else\s*this_cpu_write\(__tss_limit_invalid, true\);", ""),
        scenario=_VM_EXITS,
        source="B16",
    ),
    "map-starts-as-zeros": planted(
        "fill the map of a new CPU with zeros",
        "leak",
        "tss_setup_io_bitmap",
        (COMMON, r"memset\(tss->io_bitmap\.bitmap, 0xff", "memset(tss->io_bitmap.bitmap, 0"),
        source="X1",
        scenario=CALLS,
    ),
    "sequence-kept": _existing(FAULTS["sequence-kept"], "loss", "X4"),
    "own-extent": _existing(FAULTS["own-extent"], "leak", "B1"),
    "extent-first": _existing(FAULTS["extent-first"], "leak", "B2'"),
}
