"""A kernel that does not boot and a guest that hangs get a message each, and are ended."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.reproduce.counterexamples import counterexample, crash
from tests.support.reproduce.emulators import emulator

from iopermit.report.reproduction.facts import PreemptionPoint
from iopermit.reproduce.boot import Bootable, boot, boot_free
from iopermit.reproduce.errors import ReproduceError, UnforcedError
from iopermit.reproduce.forcing import NEVER_HAPPENED
from iopermit.reproduce.guest.program import CompiledGuest
from iopermit.reproduce.image.kernel_image import KernelImage
from iopermit.reproduce.image.layout import KernelLayout
from iopermit.reproduce.schedule import Schedule, schedule_of

if TYPE_CHECKING:
    from pathlib import Path

LAYOUT = KernelLayout(0, 4, 8, 24, 120, 8400, (112, 104, 96), None, None)


def leak() -> Schedule:
    """Return the steps of the preemption leak."""
    verdict = counterexample("linux-6.16", "ioperm,preempt")
    assert verdict.violation is not None
    return schedule_of(verdict.trace or (), verdict.violation)


def bootable(folder: Path, seconds: float = 4) -> Bootable:
    """Return a kernel that is given up after a short time."""
    return Bootable(KernelImage(folder / "vmlinuz", LAYOUT), CompiledGuest(b"", 0), "", seconds)


@pytest.mark.parametrize("script", ["echo Kernel panic; exit 0", "echo Kernel panic; exec sleep 9"])
def test_a_kernel_that_does_not_boot(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message has the image, the end of the console and what the kernel needs."""
    emulator(tmp_path, script, monkeypatch)
    with pytest.raises(ReproduceError, match="did not boot") as error:
        boot(bootable(tmp_path), leak(), PreemptionPoint.WINDOW)
    for part in ("vmlinuz", "Kernel panic", "CONFIG_SERIAL_8250_CONSOLE"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("script", "point", "reason"),
    [
        ("exec sleep 9", PreemptionPoint.NOWHERE, "the guest said nothing more within 4 s"),
        ("exit 7", PreemptionPoint.NOWHERE, r"the guest stopped \(QEMU's status 7\)"),
        ("exec sleep 9", PreemptionPoint.WINDOW, "did not stop within 4 s"),
        ("exit 7", PreemptionPoint.WINDOW, "the virtual machine ended"),
        ("echo FAILED mmap: no; exit 7", PreemptionPoint.WINDOW, "the guest failed: mmap: no"),
        ("echo END; exit 7", PreemptionPoint.WINDOW, NEVER_HAPPENED),
    ],
)
def test_a_guest_that_hangs(
    script: str,
    point: PreemptionPoint,
    reason: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A guest that falls silent or ends too early was not forced, and why is told."""
    emulator(tmp_path, f"echo READY; {script}", monkeypatch)
    run, _ = boot(bootable(tmp_path), leak(), point)
    assert not run.forced
    assert re.search(reason, run.unforced), run.unforced


def crashing() -> Schedule:
    """Return the one step of a crash."""
    verdict = crash()
    assert verdict.violation is not None
    return schedule_of(verdict.trace or (), verdict.violation)


CRASHES = "echo 'BUG: kernel NULL pointer dereference'; echo 'RIP: 0010:ksys_ioperm+0x1/0x2'"
RESULTS = "echo RESULT 0 0 1 0 0 0 0 0 0; echo RESULT 0 1 1 0 0 0 0 0 0"


@pytest.mark.parametrize(
    ("script", "shown", "told", "unforced"),
    [
        (f"{CRASHES}; exec sleep 9", True, "BUG: kernel NULL pointer dereference; RIP", ""),
        (f"{CRASHES}; exit 0", True, "ksys_ioperm", ""),
        (f"{RESULTS}; echo END; exit 0", False, "", ""),
        ("echo END; exit 0", False, "", "the guest did not get to its ioperm"),
        ("exec sleep 9", False, "", "said nothing more within 4 s"),
    ],
)
def test_a_crash_is_seen_on_the_console(
    script: str,
    shown: bool,
    told: str,
    unforced: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the kernel tells once the guest has begun counts, and nothing before.

    A kernel that tells of none shows none, if the guest executed every command.
    """
    emulator(tmp_path, f"echo WARNING: CPU: 0 at boot; echo READY; {script}", monkeypatch)
    run, _ = boot(bootable(tmp_path), crashing(), PreemptionPoint.WINDOW)
    assert run.shown == shown
    assert told in run.crash
    assert unforced in run.unforced
    assert run.forced == (not unforced)
    assert run.clean == (run.forced and not shown)


def test_a_kernel_that_may_crash_tells_its_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its console has what `quiet` leaves out; that of another kernel has not."""
    script = f'case "$*" in *loglevel=5*) echo READY; {CRASHES};; esac'
    emulator(tmp_path, script, monkeypatch)
    run, _ = boot(bootable(tmp_path), crashing(), PreemptionPoint.WINDOW)
    assert run.shown
    with pytest.raises(ReproduceError, match="did not boot"):
        boot(bootable(tmp_path), leak(), PreemptionPoint.WINDOW)


def test_tasks_that_are_left_alone_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the guest told last counts, and how far it is is told on the way."""
    script = "echo READY; echo FREE 50 0; sleep 1; echo FREE 98 3; echo END; exec sleep 9"
    emulator(tmp_path, script, monkeypatch)
    said: list[str] = []
    free, _ = boot_free(bootable(tmp_path), leak(), 100, said.append)
    assert (free.attempts, free.hits) == (98, 3)
    assert round(free.per_million) == 30612
    assert said[-1] == "98 attempts, 3 hits"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo END", "no attempt came to its end"),
        ("echo FAILED mmap: no; exit 7", "the guest failed: mmap: no"),
        ("echo FREE 50 1; exec sleep 9", "said nothing more within 4 s"),
    ],
)
def test_tasks_that_are_left_alone_and_hang(
    script: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A guest that does not come to its end says nothing about how often."""
    emulator(tmp_path, f"echo READY; {script}", monkeypatch)
    with pytest.raises(UnforcedError, match=reason):
        boot_free(bootable(tmp_path), leak(), 100, print)


def test_what_no_task_can_notice_is_not_counted(tmp_path: Path) -> None:
    """Without a harmless port among the wrong ones no kernel is booted for it."""
    schedule = leak()
    schedule.violation = replace(schedule.violation, ports=((1024, 1047),))
    with pytest.raises(UnforcedError, match="no harmless port is among the wrong ones"):
        boot_free(bootable(tmp_path), schedule, 100, print)
