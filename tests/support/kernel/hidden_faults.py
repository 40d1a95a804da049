"""Faults that a search misses if it takes unequal states for equal, or forgets an interleaving."""

from __future__ import annotations

from dataclasses import dataclass

from tests.support.kernel.faults import IOPORT, PROCESS, Edit

from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

ONE_CPU = Scenario(1, 2, 2, frozenset({Event.IOPERM, Event.PREEMPT}))
TWO_CPUS = Scenario(2, 2, 1, frozenset({Event.IOPERM, Event.EXIT}))

NEXT_NUMBER = r"iobm->sequence = atomic64_add_return\(1, &io_bitmap_sequence\);"
STALE_TEST = r"tss->io_bitmap\.prev_sequence != iobm->sequence"
FIRST_FUNCTION = r"(static void tss_copy_io_bitmap\()"


@dataclass(frozen=True)
class HiddenFault:
    """A fault, and what the check has to say.

    Attributes:
        edits: the fault.
        scenario: where it shows.
        kinds: the kinds of violation of which one has to be found; empty: the verdict has to be
            undetermined, for a reason with the words in `reason`.
        function: the C function that was edited.
        reason: words of the reason.
    """

    edits: tuple[Edit, ...]
    scenario: Scenario
    kinds: frozenset[str]
    function: str
    reason: str = ""


HIDDEN_FAULTS = {
    "counter-read-add-store": HiddenFault(
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
        ONE_CPU,
        frozenset({"leak", "loss"}),
        "ksys_ioperm",
    ),
    "counter-unless-newest": HiddenFault(
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
        ONE_CPU,
        frozenset({"leak", "loss"}),
        "ksys_ioperm",
    ),
    "global-map-pointer": HiddenFault(
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
        ONE_CPU,
        frozenset({"leak", "loss"}),
        "native_tss_update_io_bitmap",
    ),
    "exit-invalidates-every-cpu": HiddenFault(
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
        TWO_CPUS,
        frozenset({"loss"}),
        "io_bitmap_exit",
    ),
    "packed-pointer": HiddenFault(
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
        ONE_CPU,
        frozenset({"leak", "loss"}),
        "native_tss_update_io_bitmap",
    ),
    "time-stamp": HiddenFault(
        (
            Edit(
                "copy now and then only",
                PROCESS,
                STALE_TEST,
                r"\g<0> || (__builtin_ia32_rdtsc() & 1)",
                "native_tss_update_io_bitmap",
            ),
        ),
        ONE_CPU,
        frozenset(),
        "native_tss_update_io_bitmap",
        "time stamp",
    ),
}
