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
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def interrupt(self) -> None:
        """Send the signal now."""
        signal.pthread_kill(self._owner, self.SIGNAL)

    def tick(self, seconds: float) -> None:
        """Send the signal every so often from now on; nothing if it is sent already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(seconds,), daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the thread and give the signal back."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join()
        signal.signal(self.SIGNAL, self._previous)

    def _run(self, seconds: float) -> None:
        while not self._closed.wait(seconds):
            self.interrupt()
