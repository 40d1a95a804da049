"""The example of two programs, one of which gets the ports of the other on a leaking design."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.machine.cache import ROOT, cached, compiled
from tests.support.machine.running import iopermit_run

EXAMPLE = ROOT / "examples" / "leak"
NAMES = ("both", "granted", "neighbour")
CLOSED = """\
granted: may use every port, and sleeps now
neighbour: may use port 0x80, and now reads PCI configuration space
"""
FOUND = "neighbour: 00:00.0 is 8086:29c0\n"


@pytest.fixture(scope="session")
def programs() -> Path:
    """Give a folder with the programs of the example."""
    files = [compiled(EXAMPLE / f"{name}.c", "-static") for name in NAMES]

    def gather(folder: Path) -> None:
        for file in files:
            shutil.copy(file, folder)

    return cached("leak-copies", [str(file) for file in files], gather)


@pytest.mark.parametrize("design", ["linux-v2-06", "linux-ecc7e37d"])
def test_the_neighbour_gets_the_ports(programs: Path, design: str) -> None:
    """On a design that leaks, a program that opened one port reads PCI configuration space."""
    ran = iopermit_run("--design", design, programs / "both")
    assert ran.output.startswith(CLOSED + FOUND)
    assert ran.status == 0


@pytest.mark.parametrize("design", ["linux-5.4", "linux-5.5", "linux-6.16"])
def test_the_neighbour_dies(programs: Path, design: str) -> None:
    """On a design that holds it dies of SIGSEGV at its first access to another port."""
    ran = iopermit_run("--design", design, programs / "both")
    assert ran.output == f"{CLOSED}neighbour was killed by signal 11 (Segmentation fault)\n"
    assert ran.status == 128 + 11


def test_the_script_shows_both(programs: Path) -> None:
    """The script of the example compiles the programs, and shows the leak and its absence."""
    assert programs.is_dir()
    command = Path(sys.executable).with_name("iopermit")
    done = subprocess.run(
        [EXAMPLE / "run.sh"],
        env=os.environ | {"IOPERMIT": str(command)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert FOUND in done.stdout
    assert done.stdout.rstrip().endswith("exit status 139")


def test_the_script_says_what_is_missing() -> None:
    """Without a compiler the script ends with one message and exit status 2."""
    done = subprocess.run(
        [EXAMPLE / "run.sh"],
        env=os.environ | {"IOPERMIT": "/bin/true", "CC": "no-such-compiler"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "apt-get install gcc" in done.stderr
