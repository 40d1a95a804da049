"""More faults that a check finds only if it asks: results, levels, privilege, calls."""

from __future__ import annotations

from typing import Final

from tests.support.kernel.faults import IOPORT, PROCESS
from tests.support.kernel.planted.fault import CALLS, PlantedFault, planted
from tests.support.kernel.rule_faults import ENTRY, FORK, PRIVILEGE_TEST

KSYS: Final = "ksys_ioperm"
IOPL: Final = "SYSCALL_DEFINE1(iopl)"


def _never_asked(
    what: str, kinds: str, functions: str, *changes: tuple[str, str, str], says: str = ""
) -> PlantedFault:
    return planted(
        what, kinds, functions, *changes, scenario=CALLS, says=says, source="never asked"
    )


NEVER_ASKED_FAULTS: Final = {
    "iopl-without-lockdown": _never_asked(
        "raise the level on a kernel that is locked down",
        "rule",
        IOPL,
        (
            IOPORT,
            (
                r"if \(!capable\(CAP_SYS_RAWIO\) \|\|"
                r"\s*security_locked_down\(LOCKDOWN_IOPORT\)\)(\s*return -EPERM;\s*\})"
            ),
            r"if (!capable(CAP_SYS_RAWIO))\1",
        ),
        says="-EPERM",
    ),
    "privilege-once": _never_asked(
        "ask for CAP_SYS_RAWIO at the first call only",
        "rule",
        KSYS,
        (
            IOPORT,
            PRIVILEGE_TEST,
            (
                "if (turn_on && !t->io_bitmap && (!capable(CAP_SYS_RAWIO) ||\n"
                "\t\t\tsecurity_locked_down(LOCKDOWN_IOPORT)))"
            ),
        ),
        says="-EPERM",
    ),
    "level-before-privilege": _never_asked(
        "raise the level before CAP_SYS_RAWIO is asked for",
        "leak rule",
        IOPL,
        (IOPORT, r"(old = t->iopl_emul;)", r"\1\n\tt->iopl_emul = level;"),
    ),
    "iopl-1-allows": _never_asked(
        "open every port at every level but 0",
        "leak",
        "native_tss_update_io_bitmap",
        (PROCESS, r"iopl_emul == 3", "iopl_emul != 0"),
    ),
    "iopl-returns-level": _never_asked(
        "return the level that was set before",
        "rule",
        IOPL,
        (
            IOPORT,
            r"(t->iopl_emul = level;\s*task_update_io_bitmap\(\);\s*)return 0;",
            r"\1return old;",
        ),
        says="returns",
    ),
    "no-enomem": _never_asked(
        "return 0 where no memory can be had",
        "rule loss",
        KSYS,
        (IOPORT, r"(kmalloc\(.*?)return -ENOMEM;(\s*memset)", r"\1return 0;\2"),
    ),
    "exit-with-another-flag": _never_asked(
        "skip the update on the way to user mode if a signal is pending",
        "loss leak",
        "arch_exit_to_user_mode_prepare arch_exit_work",
        (
            ENTRY,
            r"ti_work & _TIF_IO_BITMAP",
            "(ti_work & (_TIF_IO_BITMAP | _TIF_SIGPENDING)) == _TIF_IO_BITMAP",
        ),
    ),
    "no-copy-thread": _never_asked(
        "do not call copy_thread() in a fork",
        "rule",
        "copy_process",
        (FORK, r"retval = copy_thread\(p, args\);", "retval = 0;"),
        says="copy_thread",
    ),
}
