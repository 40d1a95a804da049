"""The Linux selftests of ioperm and iopl, unchanged, on the designs and on a real Linux."""

from __future__ import annotations

import pytest
from tests.support.machine.reference import KINDS, SELFTESTS, selftest, selftests_on_linux
from tests.support.machine.running import iopermit_run

SKIPS_CLI = ("linux-6.16", "linux-6.16+preempt_off")
"""Designs whose iopl(3) lets CLI and STI do nothing, as the real kernel of the test does."""
FAULTS_ON_CLI = ("linux-5.5", "linux-5.7", "linux-5.8", "linux-5.8-xen-pv")
"""Designs with emulated iopl, before v5.16: CLI and STI fault."""
REAL_IOPL = (
    "linux-5.4",
    "linux-v2-06",
    "linux-v2-06-reviewed",
    "linux-v2-06-reviewed+prev_max",
    "linux-ecc7e37d",
)
"""Designs whose iopl(3) sets the processor's IOPL, so that CLI and STI work.

The selftest calls that a failure. It was changed to expect the opposite together with the kernel.
"""
WITH_CLI = {
    "[OK]\tCLI NOPped": "[OK]\tCLI faulted",
    "[OK]\tSTI NOPped": "[OK]\tSTI faulted",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SELFTESTS)
def test_the_real_kernel_passes(name: str, kind: str) -> None:
    """The selftest passes on the real Linux, so that it can be a reference."""
    ended = selftests_on_linux()[name, kind]
    assert ended.status == 0
    assert "[OK]" in ended.output
    assert "[FAIL]" not in ended.output


@pytest.mark.parametrize("design", [*REAL_IOPL, "linux-5.5-xen-pv", *FAULTS_ON_CLI, *SKIPS_CLI])
@pytest.mark.parametrize("kind", KINDS)
def test_ioperm(design: str, kind: str) -> None:
    """The selftest of ioperm passes with the lines of the real kernel."""
    ran = iopermit_run("--design", design, selftest("ioperm", kind))
    assert ran.output == selftests_on_linux()["ioperm", kind].output
    assert (ran.status, ran.errors) == (0, "")


@pytest.mark.parametrize("design", SKIPS_CLI)
@pytest.mark.parametrize("kind", KINDS)
def test_iopl(design: str, kind: str) -> None:
    """The selftest of iopl passes with the lines of the real kernel."""
    ran = iopermit_run("--design", design, selftest("iopl", kind))
    assert ran.output == selftests_on_linux()["iopl", kind].output
    assert (ran.status, ran.errors) == (0, "")


@pytest.mark.parametrize("design", FAULTS_ON_CLI)
def test_iopl_before_cli_was_skipped(design: str) -> None:
    """From 5.5 to 5.15 CLI and STI fault under iopl(3); nothing else differs."""
    expected = selftests_on_linux()["iopl", "static64"].output
    for skipped, faulted in WITH_CLI.items():
        expected = expected.replace(skipped, faulted)
    ran = iopermit_run("--design", design, selftest("iopl", "static64"))
    assert ran.output == expected
    assert (ran.status, ran.errors) == (0, "")


@pytest.mark.parametrize("design", REAL_IOPL)
def test_iopl_of_the_processor(design: str) -> None:
    """With real iopl the selftest fails because CLI works, and for no other reason."""
    ran = iopermit_run("--design", design, selftest("iopl", "static64"))
    failures = [line for line in ran.output.splitlines() if "[FAIL]" in line]
    assert set(failures) == {"[FAIL]\tCLI worked", "[FAIL]\tSTI worked"}
    assert ran.status == 1


def test_the_selftest_finds_a_leak() -> None:
    """On linux-5.5-xen-pv (CVE-2020-15852) the parent may use the ports of a child with iopl(3)."""
    ran = iopermit_run("--design", "linux-5.5-xen-pv", selftest("iopl", "static64"))
    lines = ran.output.splitlines()
    failures = [index for index, line in enumerate(lines) if "[FAIL]" in line]
    assert [lines[index] for index in failures] == ["[FAIL]\toutb to 0x80 worked"]
    assert lines[failures[0] - 1] == "[RUN]\tparent: write to 0x80 (should fail)"
    assert ran.status == 1


def test_the_selftest_finds_a_loss() -> None:
    """On linux-060aa16f+nullcheck, which loses ports, the parent of the test loses port 0x80."""
    ran = iopermit_run("--design", "linux-060aa16f+nullcheck", selftest("ioperm", "static64"))
    assert ran.output.splitlines()[-1] == "[FAIL]\toutb to 0x80 failed"
    assert ran.status == 1


def test_the_selftest_crashes_a_kernel() -> None:
    """On linux-060aa16f the first ioperm of a task dereferences NULL, and the run ends there."""
    ran = iopermit_run("--design", "linux-060aa16f", selftest("ioperm", "static64"))
    assert "BUG: kernel crash in linux-060aa16f: null pointer dereference" in ran.errors
    assert ran.status == 1
