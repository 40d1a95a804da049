"""Faults of our own: what else goes wrong when such code is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tests.support.kernel.faults import FAULTS, IOPORT, PROCESS, Edit
from tests.support.kernel.planted.documented import DESC
from tests.support.kernel.planted.fault import CALLS, TASKS, PlantedFault, planted
from tests.support.kernel.planted.unsound import IO_BITMAP_H
from tests.support.kernel.rule_faults import COMMON, PROCESS_64, PROCESS_H

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

PROCESSOR_H: Final = "arch/x86/include/asm/processor.h"
_KSYS: Final = "ksys_ioperm"
_UPDATE: Final = "native_tss_update_io_bitmap"
_DUPLICATE: Final = r"(kmemdup\(iobm.*?)"
_LEVELS: Final = Scenario(1, 1, 1, frozenset({Event.IOPERM, Event.IOPL}))
_VM_EXITS: Final = Scenario(1, 1, 1, frozenset({Event.IOPERM, Event.VM_EXIT}))
_FAILING: Final = Scenario(
    1, 2, 1, frozenset({Event.IOPERM, Event.FORK, Event.EXIT, Event.ALLOCATION_FAILS})
)
_PROGRAMS: Final = Scenario(1, 1, 1, frozenset({Event.IOPERM, Event.EXEC}))


def _existing(edit: Edit, kinds: str) -> PlantedFault:
    names = frozenset({edit.function})
    return PlantedFault(edit.what, (edit,), frozenset(kinds.split()), names, TASKS)


MAP_FAULTS: Final = {
    "switch-out": _existing(FAULTS["switch-out"], "leak"),
    "write-shared": _existing(FAULTS["write-shared"], "loss leak"),
    "flag-only": _existing(FAULTS["flag-only"], "leak"),
    "uncounted": planted(
        "share a map without counting the child",
        "crash",
        "io_bitmap_share ksys_ioperm io_bitmap_exit native_tss_update_io_bitmap",
        (IOPORT, r"refcount_inc\(&current->thread\.io_bitmap->refcnt\);", ""),
        scenario=TASKS,
    ),
    "map-not-filled": planted(
        "leave a new map as it was allocated",
        "leak",
        _KSYS,
        (IOPORT, r"memset\(iobm->bitmap, 0xff, sizeof\(iobm->bitmap\)\);", ""),
    ),
    "half-filled": planted(
        "fill half of a new map",
        "leak",
        _KSYS,
        (IOPORT, r"sizeof\(iobm->bitmap\)\);", "sizeof(iobm->bitmap) / 2);"),
    ),
    "count-not-set": planted(
        "do not set the reference count of a new map",
        "garbage crash",
        f"{_KSYS} io_bitmap_exit",
        (IOPORT, r"(memset\(iobm->bitmap.*?;\s*)refcount_set\(&iobm->refcnt, 1\);", r"\1"),
    ),
    "short-copy": planted(
        "duplicate a shared map without its last long",
        "loss leak crash",
        f"{_KSYS} tss_copy_io_bitmap",
        (IOPORT, r"kmemdup\(iobm, sizeof\(\*iobm\)", "kmemdup(iobm, sizeof(*iobm) - 8"),
        scenario=TASKS,
    ),
    "original-kept": planted(
        "do not drop the original of a duplicate",
        "garbage",
        _KSYS,
        (IOPORT, _DUPLICATE + r"io_bitmap_exit\(current\);(\s*\})", r"\1\2"),
        scenario=TASKS,
    ),
    "freed-twice": planted(
        "free a map again when its last port is closed",
        "crash",
        f"{_KSYS} io_bitmap_exit",
        (
            IOPORT,
            r"(if \(max_long == UINT_MAX\) \{\s*io_bitmap_exit\(current\);)",
            r"\1\n\t\tkfree(iobm);",
        ),
    ),
    "lost-without-memory": planted(
        "drop the map where no duplicate can be had",
        "loss",
        f"{_KSYS} task_update_io_bitmap io_bitmap_exit",
        (
            IOPORT,
            _DUPLICATE + r"if \(!iobm\)\s*return -ENOMEM;",
            r"\1if (!iobm) {\n\t\t\tio_bitmap_exit(current);\n\t\t\treturn -ENOMEM;\n\t\t}",
        ),
        scenario=_FAILING,
    ),
    "closing-writes-shared": planted(
        "duplicate a shared map only to open ports",
        "loss",
        _KSYS,
        (
            IOPORT,
            r"if \((refcount_read\(&iobm->refcnt\)) > 1\)",
            r"if (turn_on && \1 > 1)",
        ),
        scenario=TASKS,
    ),
    "last-long-ignored": planted(
        "look for open ports in all longs but the last",
        "loss garbage",
        _KSYS,
        (IOPORT, r"i < IO_BITMAP_LONGS;", "i < IO_BITMAP_LONGS - 1;"),
    ),
    "first-long-found": planted(
        "stop at the first long that has an open port",
        "loss",
        _KSYS,
        (IOPORT, r"max_long = i;(\s*\})", r"{\n\t\t\tmax_long = i;\n\t\t\tbreak;\n\t\t}\1"),
    ),
    "flag-not-set": planted(
        "do not set the flag for a new map",
        "loss",
        _KSYS,
        (IOPORT, r"(t->io_bitmap = iobm;.*?)\n[ \t]*set_thread_flag\(TIF_IO_BITMAP\);", r"\1"),
    ),
    "flag-without-a-map": planted(
        "set the flag when ports are closed that were never open",
        "crash",
        f"{_KSYS} {_UPDATE}",
        (
            IOPORT,
            r"if \(!turn_on\)(\s*)return 0;",
            r"if (!turn_on) {\1\tset_thread_flag(TIF_IO_BITMAP);\1\treturn 0;\n\t\t}",
        ),
    ),
}
LEVEL_FAULTS: Final = {
    "child-without-the-flag": planted(
        "give a child the flag only together with a map",
        "loss",
        "io_bitmap_share",
        (
            IOPORT,
            r"(void io_bitmap_share\(struct task_struct \*tsk\)\s*\{)",
            r"\1\n\tif (!current->thread.io_bitmap)\n\t\treturn;\n",
        ),
        scenario=TASKS,
    ),
    "level-without-the-flag": planted(
        "set the flag only if there is a map",
        "loss",
        "task_update_io_bitmap",
        (IOPORT, r"t->iopl_emul == 3 \|\| t->io_bitmap", "t->io_bitmap"),
        scenario=_LEVELS,
    ),
    "map-lost-with-the-level": planted(
        "clear the flag when the level falls, though there is a map",
        "loss",
        "task_update_io_bitmap",
        (IOPORT, r"t->iopl_emul == 3 \|\| t->io_bitmap", "t->iopl_emul == 3"),
        scenario=_LEVELS,
    ),
    "child-without-the-level": planted(
        "let a child begin at level 0",
        "loss crash",
        f"copy_thread {_UPDATE}",
        (PROCESS, r"(p->thread\.iopl_warn = 0;)", r"\1\n\tp->thread.iopl_emul = 0;"),
        scenario=TASKS,
    ),
    "hardware-level": planted(
        "raise the IOPL in the saved flags and never lower it",
        "leak",
        "SYSCALL_DEFINE1(iopl)",
        (
            IOPORT,
            r"(t->iopl_emul = level;)",
            r"\1\n\tif (level == 3)\n\t\tcurrent_pt_regs()->flags |= X86_EFLAGS_IOPL;",
        ),
        scenario=_LEVELS,
    ),
    "exec-drops-the-map": planted(
        "drop the map when another program is executed",
        "loss",
        "flush_thread",
        (
            PROCESS,
            r"(memset\(tsk->thread\.tls_array, 0, sizeof\(tsk->thread\.tls_array\)\);)",
            r"\1\n\tif (test_thread_flag(TIF_IO_BITMAP))\n\t\tio_bitmap_exit(tsk);",
        ),
        scenario=_PROGRAMS,
    ),
}
SWITCH_FAULTS: Final = {
    "flags-of-the-next-task": planted(
        "invalidate the base if the next task uses it, not the previous one",
        "leak",
        "__switch_to_xtra",
        (PROCESS, r"switch_to_bitmap\(tifp\);", "switch_to_bitmap(tifn);"),
        scenario=TASKS,
    ),
    "mask-of-the-next-task": planted(
        "test the flags of the previous task with the mask of the next one",
        "leak",
        "switch_to_extra",
        (PROCESS_H, r"prev_tif & _TIF_WORK_CTXSW_PREV", "prev_tif & _TIF_WORK_CTXSW_NEXT"),
        scenario=TASKS,
    ),
    "invalid-is-valid": planted(
        "invalidate the base by the one that opens every port",
        "leak",
        "native_tss_invalidate_io_bitmap",
        (
            IO_BITMAP_H,
            r"(this_cpu_write\(cpu_tss_rw\.x86_tss\.io_bitmap_base,\s*)IO_BITMAP_OFFSET_INVALID",
            r"\1IO_BITMAP_OFFSET_VALID_ALL",
        ),
        scenario=TASKS,
    ),
    "first-map-stays": planted(
        "copy a map only if none was copied before",
        "leak loss",
        _UPDATE,
        (
            PROCESS,
            r"tss->io_bitmap\.prev_sequence != iobm->sequence",
            "!tss->io_bitmap.prev_sequence",
        ),
        scenario=CALLS,
    ),
    "one-base": planted(
        "make the base that opens every port valid for maps, too",
        "leak",
        _UPDATE,
        (
            PROCESS,
            r"\*base = IO_BITMAP_OFFSET_VALID_MAP;",
            "*base = IO_BITMAP_OFFSET_VALID_ALL;",
        ),
    ),
    "limit-too-short": planted(
        "let the limit of the TSS end 8 bytes too early",
        "loss",
        "",
        (
            PROCESSOR_H,
            r"IO_BITMAP_BYTES \+ (\\\s*)sizeof\(unsigned long\) - 1\)",
            r"IO_BITMAP_BYTES - \1 1)",
        ),
        scenario=_LEVELS,
    ),
    "no-zeros": planted(
        "fill the map that opens every port with ones",
        "loss",
        "tss_setup_io_bitmap",
        (
            COMMON,
            r"tss->io_bitmap\.mapall\[IO_BITMAP_LONGS\] = ~0UL;",
            "memset(tss->io_bitmap.mapall, 0xff, sizeof(tss->io_bitmap.mapall));",
        ),
        scenario=_LEVELS,
    ),
    "no-terminator": planted(
        "do not end the map that opens every port with ones",
        "leak rule",
        "tss_setup_io_bitmap",
        (COMMON, r"tss->io_bitmap\.mapall\[IO_BITMAP_LONGS\] = ~0UL;", ""),
        scenario=_LEVELS,
    ),
    "task-register-not-loaded": planted(
        "prepare the descriptor of the TSS and do not load it",
        "loss",
        "force_reload_TR",
        (
            DESC,
            r"(write_gdt_entry\(d, GDT_ENTRY_TSS, &tss, DESC_TSS\);\s*)load_TR_desc\(\);",
            r"\1",
        ),
        scenario=_VM_EXITS,
    ),
    "switch-for-some": planted(
        "leave out what is to be done at a switch between tasks of a process",
        "undetermined",
        "__switch_to",
        (
            PROCESS_64,
            r"switch_to_extra\(prev_p, next_p\);",
            "if (prev_p->mm != next_p->mm)\n\t\tswitch_to_extra(prev_p, next_p);",
        ),
    ),
    "exit-path-for-some": replace(
        planted(
            "go the way to user mode to its end only if there was other work",
            "rule",
            "exit_to_user_mode_prepare",
            (
                "include/linux/entry-common.h",
                r"\tarch_exit_to_user_mode_prepare\(regs, ti_work\);",
                (
                    "\tif (ti_work & EXIT_TO_USER_MODE_WORK)\n"
                    "\t\tarch_exit_to_user_mode_prepare(regs, ti_work);"
                ),
            ),
        ),
        versions=("6.12",),
    ),
}
OWN_FAULTS: Final = {**MAP_FAULTS, **LEVEL_FAULTS, **SWITCH_FAULTS}
