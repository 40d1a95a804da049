"""Lets SIGTERM and SIGHUP end a verb as Ctrl-C does: with a message, and nothing half-written."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Final

from iopermit.engine.interruption import SIGNALS, interrupt

if TYPE_CHECKING:
    from collections.abc import Iterator

_SOON: Final = 0.01
"""Seconds in which Python has left a hook."""


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
    hook = sys.unraisablehook
    try:
        sys.unraisablehook = tell_again
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, interrupt)
        yield
    finally:
        if not for_good:
            sys.unraisablehook = hook
            for number, handler in before.items():
                signal.signal(number, handler)


def ignore_signals() -> None:
    """Let nothing interrupt what is still to be said, and the end of the process."""
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def is_interruption(error: BaseException | None) -> bool:
    """Return whether an error is, or was raised on the way out of, an interruption.

    A signal may come inside Python's own code that leaves things half-done: importing a module
    then ends with "release unlocked lock", and a class body of an enumeration with a RuntimeError
    (Python 3.11, `type.__set_name__`).
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def tell_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Deliver an interruption once more that came where Python can raise nothing.

    That is where an object is given back, for instance; Python would print a traceback and go on.
    Anything else is shown as Python shows it. It is a hook for `sys.unraisablehook`.
    """
    if issubclass(unraisable.exc_type, KeyboardInterrupt):
        # Not here: in a hook, too, nothing can be raised.
        threading.Timer(_SOON, _interrupt_again).start()
    else:
        sys.__unraisablehook__(unraisable)


def _interrupt_again() -> None:
    """Send this process a signal that interrupts it; a system call that waits ends, too."""
    handled = (n for n in SIGNALS if signal.getsignal(n) not in (signal.SIG_IGN, signal.SIG_DFL))
    number = next(handled, None)
    if number is not None:
        os.kill(os.getpid(), number)
