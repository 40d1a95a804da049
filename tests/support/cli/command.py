"""What tests of the command line share: running a verb, in this process or in one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from iopermit.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

SMALL = ("--cpus", "1", "--tasks", "1", "--longs", "1")
"""Bounds of a scenario that is searched in no time."""

CRASHING = "linux-060aa16f"
"""A design that crashes in the smallest scenario."""

HOLDING = "linux-6.16"
"""A design that holds in the smallest scenario."""


class Ran:
    """A verb that ran: exit status and what it printed."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> Ran:
    """Run iopermit in this process."""
    capsys.readouterr()
    status = main([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    return Ran(status, out, err)


def start(
    *arguments: object, stdout: int = subprocess.PIPE, cwd: Path | None = None, **environment: str
) -> subprocess.Popen[str]:
    """Start iopermit as a process of its own; without colours from the environment of the tests."""
    names = ("NO_COLOR", "FORCE_COLOR", "IOPERMIT_TRACEBACK")
    inherited = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.Popen(
        [sys.executable, "-c", "import sys; from iopermit.cli import main; sys.exit(main())"]
        + [str(argument) for argument in arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=inherited | environment,
    )
