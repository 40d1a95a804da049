"""More faults that a search misses if it takes unequal states for equal: pointers, races, order."""

from __future__ import annotations

from typing import Final

from tests.support.kernel.faults import IOPORT, PROCESS
from tests.support.kernel.hidden_faults import FIRST_FUNCTION, NEXT_NUMBER, STALE_TEST
from tests.support.kernel.planted.fault import (
    PREEMPTED,
    TASKS,
    TWO_CPUS,
    PlantedFault,
    planted,
)

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

IO_BITMAP_H: Final = "arch/x86/include/asm/io_bitmap.h"
UPDATE: Final = "native_tss_update_io_bitmap"
_COPY: Final = r"(tss_copy_io_bitmap\(tss, iobm\);)"
_LAST: Final = (PROCESS, FIRST_FUNCTION, r"struct io_bitmap *last_map;\n\n\1")
_LAST_ELSEWHERE: Final = (
    IOPORT,
    r"(static atomic64_t io_bitmap_sequence;)",
    r"\1\nextern struct io_bitmap *last_map;",
)
_FORGET: Final = (
    IOPORT,
    r"(if \(iobm && )(refcount_dec_and_test\(&iobm->refcnt\)\))\s*kfree\(iobm\);",
    (
        r"\1\2 {\n\t\tif (READ_ONCE(last_map) == iobm)\n\t\t\tWRITE_ONCE(last_map, NULL);\n"
        r"\t\tkfree(iobm);\n\t}"
    ),
)
_MIGRATING: Final = Scenario(2, 2, 1, frozenset({Event.IOPERM, Event.PREEMPT, Event.MIGRATE}))
_SHARING: Final = Scenario(
    2, 2, 1, frozenset({Event.IOPERM, Event.FORK, Event.EXIT, Event.MIGRATE})
)


def _unsound(
    what: str,
    kinds: str,
    functions: str,
    *changes: tuple[str, str, str],
    scenario: Scenario,
    says: str = "",
) -> PlantedFault:
    return planted(what, kinds, functions, *changes, scenario=scenario, says=says, source="unsound")


UNSOUND_FAULTS: Final = {
    "inverted-pointer": _unsound(
        "remember the map that was copied last by the complement of its address",
        "leak loss",
        UPDATE,
        (PROCESS, FIRST_FUNCTION, r"static unsigned long last_map;\n\n\1"),
        (PROCESS, STALE_TEST, "READ_ONCE(last_map) != ~(unsigned long)iobm"),
        (PROCESS, _COPY, r"{ \1 WRITE_ONCE(last_map, ~(unsigned long)iobm); }"),
        scenario=PREEMPTED,
    ),
    "pointer-order": _unsound(
        "copy only if the map lies behind the one that was copied last",
        "leak loss",
        UPDATE,
        (PROCESS, FIRST_FUNCTION, r"static struct io_bitmap *last_map;\n\n\1"),
        (PROCESS, STALE_TEST, "READ_ONCE(last_map) < iobm"),
        (PROCESS, _COPY, r"{ \1 WRITE_ONCE(last_map, iobm); }"),
        scenario=PREEMPTED,
    ),
    "number-of-8-bits": _unsound(
        "compare the lowest 8 bits of sequence numbers",
        "undetermined",
        UPDATE,
        (PROCESS, STALE_TEST, "(u8)tss->io_bitmap.prev_sequence != (u8)iobm->sequence"),
        scenario=PREEMPTED,
    ),
    "reader-of-freed-map": _unsound(
        "read the size of the map that was copied last, which may be freed meanwhile",
        "crash",
        f"{UPDATE} map_is_small",
        (
            PROCESS,
            FIRST_FUNCTION,
            (
                r"struct io_bitmap *last_map;\n\n"
                r"static bool map_is_small(void)\n{\n"
                r"\tstruct io_bitmap *map = READ_ONCE(last_map);\n\n"
                r"\treturn map && READ_ONCE(map->max) < 8;\n}\n\n\1"
            ),
        ),
        (PROCESS, STALE_TEST, r"map_is_small() || \g<0>"),
        (PROCESS, _COPY, r"{ \1 WRITE_ONCE(last_map, iobm); }"),
        _LAST_ELSEWHERE,
        _FORGET,
        scenario=TWO_CPUS,
    ),
    "published-too-early": _unsound(
        "let others find a map before its size is set",
        "crash",
        "tss_copy_io_bitmap ksys_ioperm",
        _LAST,
        (
            PROCESS,
            r"max\(tss->io_bitmap\.prev_max, iobm->max\)",
            "max3(tss->io_bitmap.prev_max, iobm->max, last_map ? READ_ONCE(last_map->max) : 0)",
        ),
        _LAST_ELSEWHERE,
        _FORGET,
        (IOPORT, r"(memset\(iobm->bitmap, 0xff)", r"WRITE_ONCE(last_map, iobm);\n\t\t\1"),
        scenario=PREEMPTED,
    ),
    "map-that-names-a-map": _unsound(
        "keep a pointer from a copy to its original, which is not counted",
        "crash",
        "tss_copy_io_bitmap",
        (IO_BITMAP_H, r"(refcount_t\s+refcnt;)", r"\1\n\tstruct io_bitmap *origin;"),
        (
            IOPORT,
            r"(refcount_set\(&iobm->refcnt, 1\);)(\s*io_bitmap_exit)",
            r"\1\n\t\tiobm->origin = t->io_bitmap;\2",
        ),
        (IOPORT, r"(memset\(iobm->bitmap, 0xff)", r"iobm->origin = NULL;\n\t\t\1"),
        (
            PROCESS,
            r"max\(tss->io_bitmap\.prev_max, iobm->max\)",
            "max3(tss->io_bitmap.prev_max, iobm->max, iobm->origin ? iobm->origin->max : 0)",
        ),
        scenario=TASKS,
    ),
    "split-count": _unsound(
        "drop a reference by a plain load and a plain store",
        "garbage crash",
        "io_bitmap_exit",
        (
            IOPORT,
            r"refcount_dec_and_test\(&iobm->refcnt\)",
            (
                "({ int n = refcount_read(&iobm->refcnt) - 1;"
                " barrier(); refcount_set(&iobm->refcnt, n); n == 0; })"
            ),
        ),
        scenario=_SHARING,
    ),
    "torn-count": _unsound(
        "drop a reference by an instruction without lock",
        "garbage crash",
        "io_bitmap_exit ksys_ioperm",
        (
            IOPORT,
            r"refcount_dec_and_test\(&iobm->refcnt\)",
            r"--*(int *)&iobm->refcnt == 0",
        ),
        scenario=_SHARING,
    ),
    "torn-number": _unsound(
        "take the next number by an instruction without lock",
        "leak loss",
        "ksys_ioperm",
        (IOPORT, r"(#include <linux/bitmap.h>)", r"\1\n#include <asm/local.h>"),
        (
            IOPORT,
            NEXT_NUMBER,
            "iobm->sequence = local_inc_return((local_t *)&io_bitmap_sequence);",
        ),
        scenario=Scenario(2, 2, 2, frozenset({Event.IOPERM, Event.MIGRATE})),
    ),
    "base-of-another-cpu": _unsound(
        "take the address of the TSS before preemption is off",
        "loss leak",
        "task_update_io_bitmap",
        (
            IOPORT,
            r"preempt_disable\(\);(.*?)tss_update_io_bitmap\(\);",
            (
                r"struct tss_struct *tss = raw_cpu_ptr(&cpu_tss_rw);\n\t\tbarrier();\n"
                r"\t\tpreempt_disable();\1WRITE_ONCE(tss->x86_tss.io_bitmap_base,\n"
                r"\t\t\t   IO_BITMAP_OFFSET_INVALID);"
            ),
        ),
        scenario=_MIGRATING,
    ),
    "flag-of-the-next-task": _unsound(
        "clear the flag of the task that is switched to",
        "loss",
        "__switch_to_xtra",
        (
            PROCESS,
            r"switch_to_bitmap\(tifp\);",
            r"\g<0>\n\tclear_tsk_thread_flag(next_p, TIF_IO_BITMAP);",
        ),
        scenario=PREEMPTED,
    ),
}
