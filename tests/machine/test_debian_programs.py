"""Debian's own programs that use ports, unmodified and dynamically linked: lspci and hwclock."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.support.machine.kvm import BACKENDS, require_backend
from tests.support.machine.packages import library_path, unpacked
from tests.support.machine.public import public_folder
from tests.support.machine.reference import DIRECT, DIRECT_ISA, debian_programs_on_linux
from tests.support.machine.running import iopermit_run

from iopermit.machine.devices.topology import Q35

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def pciutils() -> Iterator[Path]:
    """Give a folder with the files of pciutils and what it needs beside the C library."""
    files = unpacked("pciutils", "libpci3", "libkmod2", "pci.ids")
    with public_folder() as folder:
        yield shutil.copytree(files, folder / "pciutils", symlinks=True)


@pytest.fixture(scope="session")
def util_linux() -> Path:
    """Give a folder with the files of util-linux-extra."""
    return unpacked("util-linux-extra")


@pytest.mark.parametrize("cpu", BACKENDS)
def test_lspci_lists_the_topology(pciutils: Path, cpu: str) -> None:
    """Unmodified lspci lists every emulated PCI function with its class, by port accesses only."""
    require_backend(cpu)
    lspci = pciutils / "usr/bin/lspci"
    ran = iopermit_run(
        "--cpu", cpu, lspci, *DIRECT, "-n", environment=library_path(lspci), check=True
    )
    expected = [
        f"{bus:02x}:{device:02x}.{number:x} {function.class_code >> 8:04x}: "
        f"{function.vendor:04x}:{function.device:04x}"
        + (f" (rev {function.revision:02x})" if function.revision else "")
        for (bus, device, number), function in sorted(Q35.items())
    ]
    assert ran.output.splitlines() == expected


def test_lspci_decodes_the_registers(pciutils: Path) -> None:
    """Names, address ranges and bridges are decoded as lspci does on a PC."""
    names = pciutils / "usr/share/misc/pci.ids"
    lspci = pciutils / "usr/bin/lspci"
    ran = iopermit_run(
        lspci, *DIRECT, "-v", "-i", names, environment=library_path(lspci), check=True
    )
    assert "00:00.0 Host bridge: Intel Corporation 82G33/G31/P35/P31" in ran.output
    assert "01:00.0 Ethernet controller: Intel Corporation 82574L Gigabit" in ran.output
    assert "Memory at fd000000 (32-bit, prefetchable)" in ran.output
    assert "I/O ports at c040" in ran.output
    assert "Bus: primary=00, secondary=01, subordinate=01" in ran.output


def test_an_ordinary_user_is_refused(pciutils: Path, util_linux: Path) -> None:
    """With --user, lspci and hwclock fail and say so, as for such a user of a real Linux."""
    lspci, hwclock = pciutils / "usr/bin/lspci", util_linux / "sbin/hwclock"
    real = debian_programs_on_linux(lspci, hwclock)
    ours = (
        iopermit_run("--user", lspci, *DIRECT, environment=library_path(lspci)),
        iopermit_run("--user", hwclock, *DIRECT_ISA),
    )
    assert [(ran.output + ran.errors, ran.status) for ran in ours] == [
        (ended.output, ended.status) for ended in real
    ]
    assert "No permission to access I/O ports" in ours[0].errors
    assert "iopl() port access failed: Operation not permitted" in ours[1].errors
    assert {ran.status for ran in ours} == {1}


def test_hwclock_reads_the_clock_chip(util_linux: Path) -> None:
    """Unmodified hwclock waits for the start of a second and reads the chip, by ports only."""
    hwclock = util_linux / "sbin/hwclock"
    command = (hwclock, *DIRECT_ISA, "--verbose")
    ran = iopermit_run(*command, environment={"TZ": "UTC0"}, check=True)
    assert "Using direct ISA access to the clock" in ran.output
    assert "...got clock tick\nTime read from Hardware Clock: 2026/01/01 00:00:01" in ran.output
    # It shows what the chip had when hwclock started: midnight, to a few steps of the time.
    assert re.fullmatch(
        r"2025-12-31 23:59:59\.99\d+\+00:00|2026-01-01 00:00:00\.00\d+\+00:00",
        ran.output.splitlines()[-1],
    )


def test_the_programs_are_the_packages_own(pciutils: Path, util_linux: Path) -> None:
    """The programs are dynamically linked, lspci with the library of its package."""
    for path, library in (("usr/bin/lspci", b"libpci.so.3"), ("sbin/hwclock", b"libc.so.6")):
        content = ((pciutils if "lspci" in path else util_linux) / path).read_bytes()
        assert library in content
        assert b"/lib64/ld-linux-x86-64.so.2" in content
