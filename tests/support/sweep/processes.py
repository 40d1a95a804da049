"""Finds processes of this machine by their command line or environment."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path


def processes(content: str, *, file: str = "cmdline") -> set[int]:
    """Return the processes of whose command line or environment a text is part."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if content.encode() in (entry / file).read_bytes():
                found.add(int(entry.name))
    return found


def parent(process: int) -> int:
    """Return the process that started another one."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition("\nPPid:")[2].split()[0])


def wait_for_some(content: str, seconds: float = 60.0) -> set[int]:
    """Return processes with a text on their command line, as soon as there are some."""
    until = time.monotonic() + seconds
    while not (found := processes(content)):
        assert time.monotonic() < until, f"no process with {content}"
        time.sleep(0.02)
    return found


def wait_for_none(content: str, seconds: float = 60.0, *, file: str = "cmdline") -> None:
    """Wait until no process has a text on its command line, or in its environment."""
    until = time.monotonic() + seconds
    while found := processes(content, file=file):
        assert time.monotonic() < until, f"still there: {found}"
        time.sleep(0.05)
