"""What a patch changes where nothing is executed makes the verdict undetermined."""

from __future__ import annotations

import pytest
from tests.support.kernel.planted.fault import UNDETERMINED, PlantedFault, planted
from tests.support.kernel.planted.running import complaint, outcome_of
from tests.support.kernel.rule_faults import COMMON, EXIT, PROCESS_64

SWITCH = r"(\tupdate_task_stack\(next_p\);\n)"
EDITS = {
    "a call on a condition": planted(
        "call exit_thread() for the last thread of a process only",
        UNDETERMINED,
        "do_exit",
        (EXIT, r"\texit_thread\(tsk\);", "\tif (group_dead)\n\t\texit_thread(tsk);"),
    ),
    "the set-up of some CPUs": planted(
        "set up the TSS of all CPUs but one",
        UNDETERMINED,
        "cpu_init_exception_handling",
        (
            COMMON,
            r"\ttss_setup_io_bitmap\(tss\);(\s*set_tss_desc)",
            r"\tif (cpu)\n\t\ttss_setup_io_bitmap(tss);\1",
        ),
    ),
    "a statement that is gone": planted(
        "do not set the stack pointer of the next task",
        UNDETERMINED,
        "__switch_to",
        (PROCESS_64, SWITCH, "\n"),
    ),
    "a comment": planted("say more", "holds", "", (PROCESS_64, SWITCH, r"\1\t/* Later. */\n")),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_change_that_nothing_reaches_is_named(edit: PlantedFault) -> None:
    """The reason names the function, in other objects and where code is gone; comments are none."""
    assert complaint(edit, outcome_of(edit, "6.12")) == ""
