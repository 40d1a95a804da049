"""The verb `iopermit run`: its summary and its exit statuses. Programs: tests/machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.support.machine.running import iopermit_run


@pytest.mark.parametrize("status", [0, 1, 3, 77, 255])
def test_the_exit_status_is_the_programs(status: int) -> None:
    """Whatever it is."""
    assert iopermit_run("/bin/sh", "-c", f"exit {status}").status == status


def test_a_signal_is_128_and_its_number() -> None:
    """As a shell says it."""
    assert iopermit_run("/bin/sh", "-c", "kill -TERM $$").status == 128 + 15


def test_summary(tmp_path: Path) -> None:
    """--json writes what happened, with a schema version."""
    file = tmp_path / "summary.json"
    iopermit_run("--json", file, "--design", "linux-5.4", "/bin/sh", "-c", "exit 5")
    summary = json.loads(file.read_text())
    assert summary["schema"] == "iopermit/run/1"
    assert (summary["design"], summary["end"], summary["status"]) == ("linux-5.4", "exited", 5)
    assert (summary["accesses"], summary["leaks"]) == (0, 0)
    assert summary["calls"] > 10
    assert summary["nanoseconds"] > 0


def test_summary_of_a_timeout(tmp_path: Path) -> None:
    """The summary tells a timeout from a program that exits with status 3."""
    file = tmp_path / "summary.json"
    ran = iopermit_run("--json", file, "--timeout", "0.2", "/bin/sh", "-c", "while :; do :; done")
    assert ran.status == 3
    assert json.loads(file.read_text())["end"] == "timeout"


def test_help_tells_the_statuses() -> None:
    """The help has every status."""
    ran = iopermit_run("--help")
    assert ran.status == 0
    for text in ("128 + N", "2 if it cannot be run", "--max-tasks", "--timeout"):
        assert text in " ".join(ran.output.split())


def test_a_crash_of_the_design_is_told() -> None:
    """A design that crashes ends the run with status 1 and the crash, and no traceback."""
    design = Path(__file__).parents[1] / "support/cli/crashing_design.py"
    ran = iopermit_run("--design", design, "/bin/true")
    assert ran.status == 1
    assert ran.errors.startswith("iopermit: BUG: kernel crash in crashing: ")
