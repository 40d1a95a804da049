"""Stops a run when its time is over or the user interrupts it, whatever the program does."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from iopermit.machine.tasks.scheduler import Scheduler

_NUDGE: Final = 0.05
"""Seconds between attempts to stop the CPU after the time is over."""
_OVER: Final = 0
"""What ends the watch; no signal has this number."""


class Watchdog:
    """A thread that tells the scheduler, and stops the CPU.

    Python handles a signal only between its own instructions, and the CPU back end is one call.
    So the thread waits for the number of the signal, which Python writes to a pipe at once.
    """

    def __init__(self, scheduler: Scheduler, seconds: float | None) -> None:
        """Start to watch; after `seconds` the time is over (None: never)."""
        self._scheduler = scheduler
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._reader, self._writer = os.pipe()
        for end in (self._reader, self._writer):
            os.set_blocking(end, False)
        self._previous: int | None = None
        with contextlib.suppress(ValueError):
            # Outside the main thread there are no signals to wait for.
            self._previous = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        if self._previous is not None:
            signal.set_wakeup_fd(self._previous)
        os.write(self._writer, bytes([_OVER]))
        self._thread.join()
        os.close(self._reader)
        os.close(self._writer)

    def _watch(self) -> None:
        stopping = False
        while True:
            heard = self._wait(_NUDGE if stopping else None)
            if _OVER in heard:
                return
            if self._deadline is not None and time.monotonic() >= self._deadline:
                self._scheduler.expired = stopping = True
            if signal.SIGINT in heard:
                self._scheduler.interrupted = stopping = True
            if stopping:
                # Again and again: between two runs of the CPU it has no effect.
                self._scheduler.machine.backend.stop()

    def _wait(self, most: float | None) -> bytes:
        """Wait for a byte in the pipe, at most until the time is over; return what came."""
        limits = [most] if most is not None else []
        if self._deadline is not None and most is None:
            limits.append(max(self._deadline - time.monotonic(), 0))
        ready, _, _ = select.select([self._reader], [], [], min(limits, default=None))
        return os.read(self._reader, 4096) if ready else b""
