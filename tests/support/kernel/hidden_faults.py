"""Faults that a search misses if it takes unequal states for equal, or forgets an interleaving."""

from __future__ import annotations

from typing import Final

from tests.support.kernel.faults import IOPORT, PROCESS, Edit
from tests.support.kernel.planted.fault import (
    PREEMPTED,
    TWO_CPUS,
    UNDETERMINED,
    PlantedFault,
)

NEXT_NUMBER = r"iobm->sequence = atomic64_add_return\(1, &io_bitmap_sequence\);"
STALE_TEST = r"tss->io_bitmap\.prev_sequence != iobm->sequence"
FIRST_FUNCTION = r"(static void tss_copy_io_bitmap\()"


HIDDEN_FAULTS: Final[dict[str, PlantedFault]] = {
    "counter-read-add-store": PlantedFault(
        "take the next number without an atomic instruction",
        (
            Edit(
                "take the next number without an atomic instruction",
                IOPORT,
                NEXT_NUMBER,
                "iobm->sequence = READ_ONCE(io_bitmap_sequence.counter) + 1;\n"
                "\tWRITE_ONCE(io_bitmap_sequence.counter, iobm->sequence);",
                "ksys_ioperm",
            ),
        ),
        frozenset({"leak", "loss"}),
        frozenset({"ksys_ioperm"}),
        PREEMPTED,
        source="unsound",
    ),
    "counter-unless-newest": PlantedFault(
        "keep the number if it is the newest",
        (
            Edit(
                "keep the number if it is the newest",
                IOPORT,
                NEXT_NUMBER,
                "if (iobm->sequence != atomic64_read(&io_bitmap_sequence))\n"
                "\t\tiobm->sequence = atomic64_add_return(1, &io_bitmap_sequence);",
                "ksys_ioperm",
            ),
        ),
        frozenset({"leak", "loss"}),
        frozenset({"ksys_ioperm"}),
        PREEMPTED,
        source="unsound",
    ),
    "global-map-pointer": PlantedFault(
        "copy only if another map was copied last, which a global pointer tells",
        (
            Edit(
                "copy only if another map was copied last",
                PROCESS,
                FIRST_FUNCTION,
                r"static struct io_bitmap *last_map;\n\n\1",
                "native_tss_update_io_bitmap",
            ),
            Edit(
                "copy only if another map was copied last",
                PROCESS,
                STALE_TEST,
                "READ_ONCE(last_map) != iobm",
                "native_tss_update_io_bitmap",
            ),
            Edit(
                "remember which map was copied",
                PROCESS,
                r"(tss_copy_io_bitmap\(tss, iobm\);)",
                r"{ \1 WRITE_ONCE(last_map, iobm); }",
                "native_tss_update_io_bitmap",
            ),
        ),
        frozenset({"leak", "loss"}),
        frozenset({"native_tss_update_io_bitmap"}),
        PREEMPTED,
        source="unsound",
    ),
    "exit-invalidates-every-cpu": PlantedFault(
        "invalidate the base of every CPU on exit",
        (
            Edit(
                "invalidate the base of every CPU on exit",
                IOPORT,
                r"(if \(tsk == current\))(\s*task_update_io_bitmap\(\);)",
                r"{ int cpu; for (cpu = 0; cpu < nr_cpu_ids; cpu++)\n"
                r"\t\tper_cpu(cpu_tss_rw, cpu).x86_tss.io_bitmap_base = IO_BITMAP_OFFSET_INVALID; }"
                r"\n\t\1\2",
                "io_bitmap_exit",
            ),
        ),
        frozenset({"loss"}),
        frozenset({"io_bitmap_exit"}),
        TWO_CPUS,
        source="unsound",
    ),
    "packed-pointer": PlantedFault(
        "remember the address of the map without its lowest bits",
        (
            Edit(
                "remember the address of the map without its lowest bits",
                PROCESS,
                FIRST_FUNCTION,
                r"static unsigned int last_map;\n\n\1",
                "native_tss_update_io_bitmap",
            ),
            Edit(
                "copy only if another map was copied last",
                PROCESS,
                STALE_TEST,
                "READ_ONCE(last_map) != (unsigned int)((unsigned long)iobm >> 4)",
                "native_tss_update_io_bitmap",
            ),
            Edit(
                "remember which map was copied",
                PROCESS,
                r"(tss_copy_io_bitmap\(tss, iobm\);)",
                r"{ \1 WRITE_ONCE(last_map, (unsigned int)((unsigned long)iobm >> 4)); }",
                "native_tss_update_io_bitmap",
            ),
        ),
        frozenset({"leak", "loss"}),
        frozenset({"native_tss_update_io_bitmap"}),
        PREEMPTED,
        source="unsound",
    ),
    "time-stamp": PlantedFault(
        "copy now and then only, as the time stamp says",
        (
            Edit(
                "copy now and then only",
                PROCESS,
                STALE_TEST,
                r"\g<0> || (__builtin_ia32_rdtsc() & 1)",
                "native_tss_update_io_bitmap",
            ),
        ),
        frozenset({UNDETERMINED}),
        frozenset({"native_tss_update_io_bitmap"}),
        PREEMPTED,
        "time stamp",
        source="unsound",
    ),
}
