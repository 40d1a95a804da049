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

    def __init__(self) -> None:
        """Let Python write signals to the pipe; this needs rights that the sandbox takes away."""
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._deadline: float | None = None
        self._scheduler: Scheduler | None = None
        self._previous: int | None = None
        self._thread = threading.Thread(target=self._watch, daemon=True)
        with contextlib.suppress(ValueError):
            # Outside the main thread there are no signals to wait for.
            self._previous = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
            # An exception would be lost in the callbacks of Unicorn.
            signal.signal(signal.SIGINT, lambda *_: None)

    def start(self, scheduler: Scheduler, seconds: float | None) -> None:
        """Watch a run; after `seconds` its time is over (None: never)."""
        self._scheduler = scheduler
        self._deadline = None if seconds is None else time.monotonic() + seconds
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
        stopping, scheduler = False, self._scheduler
        assert scheduler is not None
        while True:
            heard = self._wait(_NUDGE if stopping else None)
            if _OVER in heard:
                return
            if self._deadline is not None and time.monotonic() >= self._deadline:
                scheduler.expired = stopping = True
            if signal.SIGINT in heard:
                scheduler.interrupted = stopping = True
            if stopping:
                # Again and again: between two runs of the CPU it has no effect.
                scheduler.machine.backend.stop()

    def _wait(self, most: float | None) -> bytes:
        """Wait for a byte in the pipe, at most until the time is over; return what came."""
        limits = [most] if most is not None else []
        if self._deadline is not None and most is None:
            limits.append(max(self._deadline - time.monotonic(), 0))
        ready, _, _ = select.select([self._reader], [], [], min(limits, default=None))
        return os.read(self._reader, 4096) if ready else b""
