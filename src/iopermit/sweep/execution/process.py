"""A process that executes one job: it is waited for, and ended with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import time
from typing import IO, TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_POLL: Final = 0.1
"""Seconds between two looks at a process."""
_GRACE: Final = 10.0
"""Seconds that a process has to end when it is asked to."""


class ProcessEnd(NamedTuple):
    """How a process ended.

    Attributes:
        status: its exit status, negative for a signal; None if it did not end in time.
        out: its standard output.
        err: its standard error.
    """

    status: int | None
    out: str = ""
    err: str = ""


def run_process(
    command: Sequence[str], seconds: float | None, goes_on: Callable[[], bool]
) -> ProcessEnd | None:
    """Run a command in a session of its own, so that Ctrl-C on the terminal is not for it.

    Args:
        command: the program and its arguments.
        seconds: how long it may take; None: as long as it wants.
        goes_on: is asked again and again whether it may go on.

    Returns:
        How it ended; None if it was not to go on. It and all that it started are ended in any case.

    Raises:
        OSError: it cannot be started.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
        )
        started = time.monotonic()
        try:
            while goes_on():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    status = process.wait(_POLL)
                    return ProcessEnd(status, _content(out), _content(err))
                if seconds is not None and time.monotonic() - started > seconds:
                    return ProcessEnd(None)
            return None
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, if it did not end itself."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)


def _content(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")
