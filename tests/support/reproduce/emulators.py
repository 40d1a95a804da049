"""Programs that are found in place of QEMU, and do something else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAME = "qemu-system-x86_64"


def emulator(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a shell script be found as QEMU, in front of all others; return its path."""
    program = folder / NAME
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return program
