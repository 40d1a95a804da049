"""Lets SIGTERM and SIGHUP end a verb as Ctrl-C does: with a message, and nothing half-written."""

from __future__ import annotations

import contextlib
import signal
import threading
from typing import TYPE_CHECKING

from iopermit.engine.interruption import SIGNALS, interrupt

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def ending_signals(*, for_good: bool) -> Iterator[None]:
    """Raise KeyboardInterrupt for the signals that ask a process to end; give back what was.

    A signal that is ignored stays so, as `nohup` wants. Outside the main thread nothing changes.

    Args:
        for_good: whether the process ends with the block: then signals are ignored behind it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, interrupt)
        yield
    finally:
        if not for_good:
            for number, handler in before.items():
                signal.signal(number, handler)


def ignore_signals() -> None:
    """Let nothing interrupt what is still to be said, and the end of the process."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
