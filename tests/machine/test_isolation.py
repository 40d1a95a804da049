"""A program reaches no host file for writing, no host process, no device and no socket."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.support.machine.cache import PROGRAMS, compiled
from tests.support.machine.kvm import BACKENDS, require_backend
from tests.support.machine.running import iopermit_run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_forbidden_is_reached(backend: str, tmp_path: Path) -> None:
    """Every attempt is refused, and the folder of the host is as it was."""
    require_backend(backend)
    (tmp_path / "file").write_text("content")
    (tmp_path / "port").symlink_to("/dev/port")
    os.mkfifo(tmp_path / "fifo")
    before = sorted(p.name for p in tmp_path.iterdir())
    program = compiled(PROGRAMS / "forbidden.c", "-static")
    ran = iopermit_run("--cpu", backend, program, tmp_path, str(os.getpid()))
    assert ran.output.count(": refused\n") == 31
    assert "REACHED" not in ran.output
    assert ran.status == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert (tmp_path / "file").read_text() == "content"


def test_an_ordinary_user_cannot_read_what_root_can(tmp_path: Path) -> None:
    """With --user the mode of a file decides, though iopermit itself may be root."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    secret.chmod(0)
    ran = iopermit_run("--user", "/bin/cat", secret)
    assert "secret" not in ran.output
    assert "Permission denied" in ran.errors


def test_user_has_no_raw_io() -> None:
    """With --user ioperm fails with EPERM; the design refuses it, not the machine."""
    program = compiled(PROGRAMS / "string_io.c", "-static")
    ran = iopermit_run("--user", "--strace", program)
    assert "ioperm(0x80, 8, 1)                      = -1 EPERM" in ran.errors
    assert ran.status == 139
