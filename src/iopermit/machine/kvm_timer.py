"""Interrupts KVM_RUN: a task goes on for too long, or the run is over."""

from __future__ import annotations

import signal
import threading
from typing import Final

from iopermit.machine.errors import MachineError


class Timer:
    """Interrupts KVM_RUN by a signal to the thread that is in it."""

    SIGNAL: Final = signal.SIGRTMIN + 3

    def __init__(self) -> None:
        """Prepare the signal. Raises MachineError outside the main thread."""
        try:
            self._previous = signal.signal(self.SIGNAL, lambda *_: None)
        except ValueError as error:
            raise MachineError("the KVM back end works in the main thread only") from error
        self._owner = threading.get_ident()
        self._condition = threading.Condition()
        self._seconds: float | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def ticking(self, seconds: float | None) -> Ticking:
        """Return a context in which a signal comes every so often (None: never)."""
        return Ticking(self, seconds)

    def interrupt(self) -> None:
        """Send the signal now."""
        signal.pthread_kill(self._owner, self.SIGNAL)

    def set(self, seconds: float | None) -> None:
        """Start or stop the ticking."""
        if seconds is None and self._thread is None:
            return
        with self._condition:
            self._seconds = seconds
            self._condition.notify()
        if self._thread is None:
            self._thread = threading.Thread(target=self._tick, daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread and give the signal back."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        if self._thread is not None:
            self._thread.join()
        signal.signal(self.SIGNAL, self._previous)

    def _tick(self) -> None:
        with self._condition:
            while not self._closed:
                woken = self._condition.wait(self._seconds)
                if not woken and self._seconds is not None:
                    self.interrupt()


class Ticking:
    """Lets the signal come every so often while a block runs."""

    def __init__(self, timer: Timer, seconds: float | None) -> None:
        self._timer, self._seconds = timer, seconds

    def __enter__(self) -> None:
        """Start."""
        self._timer.set(self._seconds)

    def __exit__(self, *_: object) -> None:
        """Stop."""
        if self._seconds is not None:
            self._timer.set(None)
