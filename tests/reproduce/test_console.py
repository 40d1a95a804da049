"""What a kernel tells of a crash is found on its console, and nothing else is taken for one."""

from __future__ import annotations

import pytest

from iopermit.reproduce.console import crash_in, has_place

OOPS = [
    "[    1.9] BUG: kernel NULL pointer dereference, address: 000000000000000c",
    "[    1.9] #PF: supervisor read access in kernel mode",
    "[    1.9] Oops: Oops: 0000 [#1] PREEMPT SMP",
    "[    1.9] RIP: 0010:ksys_ioperm+0x29/0x1e0",
    "[    1.9] RIP: 0033:0x401c7d",
]
WARNING = "WARNING: CPU: 0 PID: 41 at arch/x86/kernel/process.c:411 native_tss_update_io_bitmap+0x8"


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([], ""),
        (["READY", "RESULT 0 1 1 0 0 0 0 0 0", "END"], ""),
        (
            OOPS,
            (
                "BUG: kernel NULL pointer dereference, address: 000000000000000c; "
                "RIP: 0010:ksys_ioperm+0x29/0x1e0"
            ),
        ),
        (["READY", f"[    2.1] {WARNING}"], WARNING),
        (["RESULT 0[    2.1] kernel BUG at mm/slub.c:1!"], "kernel BUG at mm/slub.c:1!"),
        (["general protection fault, probably for non-canonical address 0x6b"],) * 2,
        (["Kernel panic - not syncing: Attempted to kill init!"],) * 2,
    ],
)
def test_the_first_crash_is_told_with_its_place(lines: list[str], told: str | list[str]) -> None:
    """Its first line, without the time, and where it happened in the kernel."""
    assert crash_in(lines) == (told if isinstance(told, str) else told[0])


def test_the_place_comes_behind_the_first_line() -> None:
    """Whoever waits for the rest of a crash knows when it is there."""
    assert not has_place(OOPS[:3])
    assert has_place(OOPS[:4])
