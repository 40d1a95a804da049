"""Ctrl-C ends a run at once, whatever the program does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.designs import followed
from tests.support.machine.kvm import BACKENDS, require_backend

MAIN = "import sys; from iopermit.cli import main; sys.exit(main())"
SPIN = "while :; do :; done"
WAIT = "sleep 1 & wait; read line"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("script", [SPIN, WAIT])
def test_an_interrupt_ends_the_run(backend: str, script: str) -> None:
    """The status is 3 and there is one message, also if user code never leaves user mode."""
    require_backend(backend)
    command = [sys.executable, "-c", MAIN, "run", "--cpu", backend]
    reader, writer = os.pipe()
    with subprocess.Popen(
        [*command, "/bin/sh", "-c", f"echo ready; {script}"],
        stdin=reader,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        time.sleep(0.3)
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=60)
    os.close(reader)
    os.close(writer)
    assert (output, running.returncode) == ("", 3)
    assert errors == "iopermit: interrupted before there was a result [interrupted]\n"


def test_an_interrupt_ends_a_hook_without_end() -> None:
    """A hook of the design that never ends keeps Ctrl-C from nothing but the first seconds."""
    design = f"{Path(followed.__file__)}:{followed.SpinsForEver.__name__}"
    calls_ioperm = "$| = 1; print qq(ready\\n); syscall(173, 0x80, 1, 1)"
    with subprocess.Popen(
        [sys.executable, "-c", MAIN, "run", "--design", design, "perl", "-e", calls_ioperm],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(followed.__file__).parents[3],
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        time.sleep(0.3)
        begun = time.monotonic()
        running.send_signal(signal.SIGINT)
        output, errors = running.communicate(timeout=60)
    assert time.monotonic() - begun > 3, "the hook is not the one without end"
    assert (output, running.returncode) == ("", 3)
    assert errors == "iopermit: interrupted before there was a result [interrupted]\n"
