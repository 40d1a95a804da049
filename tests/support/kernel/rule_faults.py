"""Faults that no interleaving is needed for: wrong results, wrong ports, calls that are missing."""

from __future__ import annotations

from typing import Final

from tests.support.kernel.faults import IOPORT, PROCESS
from tests.support.kernel.planted.fault import PlantedFault, planted

PROCESS_64 = "arch/x86/kernel/process_64.c"
PROCESS_H = "arch/x86/kernel/process.h"
ENTRY = "arch/x86/include/asm/entry-common.h"
COMMON = "arch/x86/kernel/cpu/common.c"
EXIT = "kernel/exit.c"
FORK = "kernel/fork.c"


def _fault(
    what: str, path: str, pattern: str, replacement: str, function: str, kinds: str, says: str = ""
) -> PlantedFault:
    change = (path, pattern, replacement)
    return planted(what, kinds, function, change, says=says, source="never asked")


RANGE_TEST: Final = r"\(from \+ num <= from\) \|\| \(from \+ num > IO_BITMAP_BITS\)"
PRIVILEGE_TEST: Final = (
    r"if \(turn_on && \(!capable\(CAP_SYS_RAWIO\) \|\|"
    r"\s*security_locked_down\(LOCKDOWN_IOPORT\)\)\)"
)
RULE_FAULTS: Final[dict[str, PlantedFault]] = {
    "whole-long": _fault(
        "open whole longs instead of single ports",
        IOPORT,
        r"bitmap_clear\(iobm->bitmap, from, num\);",
        r"bitmap_clear(iobm->bitmap, from & ~63UL, 64 + num);",
        "ksys_ioperm",
        "leak crash rule",
    ),
    "one-port-short": _fault(
        "close one port less than asked",
        IOPORT,
        r"bitmap_set\(iobm->bitmap, from, num\);",
        "bitmap_set(iobm->bitmap, from, num - 1);",
        "ksys_ioperm",
        "leak",
    ),
    "range-in-32-bits": _fault(
        "check the range in 32 bits",
        IOPORT,
        RANGE_TEST,
        "(u32)(from + num) <= (u32)from || (u32)(from + num) > IO_BITMAP_BITS",
        "ksys_ioperm",
        "leak crash rule",
    ),
    "range-off-by-64": _fault(
        "let a range end 64 ports too late",
        IOPORT,
        r"from \+ num > IO_BITMAP_BITS",
        "from + num > IO_BITMAP_BITS + 64",
        "ksys_ioperm",
        "rule crash",
    ),
    "no-wrap-check": _fault(
        "do not check whether the range wraps around",
        IOPORT,
        RANGE_TEST,
        "from + num > IO_BITMAP_BITS",
        "ksys_ioperm",
        "rule crash leak",
    ),
    "turn-on-is-1": _fault(
        "open only if `turn_on` is 1",
        IOPORT,
        r"if \(turn_on\)(\s*bitmap_clear)",
        r"if (turn_on == 1)\1",
        "ksys_ioperm",
        "loss",
    ),
    "turn-on-is-positive": _fault(
        "open only if `turn_on` is positive",
        IOPORT,
        r"if \(turn_on\)(\s*bitmap_clear)",
        r"if (turn_on > 0)\1",
        "ksys_ioperm",
        "loss",
    ),
    "no-capable": _fault(
        "open without CAP_SYS_RAWIO",
        IOPORT,
        PRIVILEGE_TEST,
        r"if (turn_on && security_locked_down(LOCKDOWN_IOPORT))",
        "ksys_ioperm",
        "rule",
        "-EPERM",
    ),
    "no-lockdown": _fault(
        "open on a kernel that is locked down",
        IOPORT,
        PRIVILEGE_TEST,
        r"if (turn_on && !capable(CAP_SYS_RAWIO))",
        "ksys_ioperm",
        "rule",
        "-EPERM",
    ),
    "iopl-without-capable": _fault(
        "raise the level without CAP_SYS_RAWIO",
        IOPORT,
        r"!capable\(CAP_SYS_RAWIO\) \|\|"
        r"(\s*security_locked_down\(LOCKDOWN_IOPORT\)\)\s*return -EPERM;\s*\})",
        r"\1",
        "SYSCALL_DEFINE1(iopl)",
        "rule",
        "-EPERM",
    ),
    "iopl-2-allows": _fault(
        "open every port at level 2, too",
        PROCESS,
        r"iopl_emul == 3",
        "iopl_emul >= 2",
        "native_tss_update_io_bitmap",
        "leak loss crash",
    ),
    "iopl-level-masked": _fault(
        "mask the level instead of refusing it",
        IOPORT,
        r"if \(level > 3\)\s*return -EINVAL;",
        r"level &= 3;",
        "SYSCALL_DEFINE1(iopl)",
        "rule",
    ),
    "wrong-error": _fault(
        "return another error for an invalid range",
        IOPORT,
        r"(if \(\(from \+ num <= from\).*?)return -EINVAL;",
        r"\1return -EPERM;",
        "ksys_ioperm",
        "rule",
        "-EINVAL",
    ),
    "exact-work": _fault(
        "update the TSS only if no other work is pending",
        ENTRY,
        r"ti_work & _TIF_IO_BITMAP",
        "ti_work == _TIF_IO_BITMAP",
        "arch_exit_to_user_mode_prepare arch_exit_work",
        "loss leak",
    ),
    "switch-with-another-flag": _fault(
        "leave the base valid if the task has another flag, too",
        PROCESS,
        r"if \(tifp & _TIF_IO_BITMAP\)",
        r"if ((tifp & _TIF_IO_BITMAP) && !(tifp & _TIF_SIGPENDING))",
        "switch_to_bitmap",
        "leak",
    ),
    "thread-without-reference": _fault(
        "share the map of a thread without counting it",
        PROCESS,
        r"(TIF_IO_BITMAP\)\)\))(\s*io_bitmap_share\(p\);)",
        r"\1 {\2\n\t\tif ((clone_flags & CLONE_THREAD) && p->thread.io_bitmap)\n"
        r"\t\t\trefcount_dec(&p->thread.io_bitmap->refcnt); }",
        "copy_thread",
        "crash loss leak",
    ),
    "plain-flag-store": _fault(
        "clear the flag by a plain store",
        IOPORT,
        r"clear_tsk_thread_flag\(tsk, TIF_IO_BITMAP\);",
        "tsk->thread_info.flags = tsk->thread_info.flags & ~_TIF_IO_BITMAP; barrier();",
        "task_update_io_bitmap",
        "rule",
    ),
    "allocation-size": _fault(
        "allocate 8 bytes too few",
        IOPORT,
        r"kmalloc\(sizeof\(\*iobm\), GFP_KERNEL\)",
        "kmalloc(sizeof(*iobm) - 8, GFP_KERNEL)",
        "ksys_ioperm",
        "rule crash",
        "",
    ),
    "no-exit-update": _fault(
        "do not call the update on the way to user mode",
        ENTRY,
        r"tss_update_io_bitmap\(\);",
        ";",
        "arch_exit_to_user_mode_prepare arch_exit_work",
        "rule",
        "does not call",
    ),
    "no-switch-to-extra": _fault(
        "do not call the function that invalidates the base",
        PROCESS_64,
        r"switch_to_extra\(prev_p, next_p\);",
        "",
        "__switch_to",
        "rule",
        "__switch_to_xtra",
    ),
    "no-tss-set-up": _fault(
        "do not call the set-up of a CPU's TSS",
        COMMON,
        r"(tss_setup_ist\(tss\);\s*)tss_setup_io_bitmap\(tss\);",
        r"\1",
        "cpu_init_exception_handling",
        "rule",
        "tss_setup_io_bitmap",
    ),
    "open-at-first": _fault(
        "bring a CPU up with every port open",
        COMMON,
        r"(tss->x86_tss\.io_bitmap_base = )IO_BITMAP_OFFSET_INVALID;",
        r"\1IO_BITMAP_OFFSET_VALID_ALL;",
        "tss_setup_io_bitmap",
        "leak",
        "which it was not granted",
    ),
    "no-exit-thread": _fault(
        "do not call exit_thread() at the end of a task",
        EXIT,
        r"exit_thread\(tsk\);",
        "",
        "do_exit",
        "rule",
        "exit_thread",
    ),
    "no-unwinding": _fault(
        "do not call exit_thread() when a fork fails",
        FORK,
        r"(bad_fork_cleanup_thread:\s*)exit_thread\(p\);",
        r"\1",
        "copy_process",
        "rule",
        "exit_thread",
    ),
}
"""On top of the repair."""
