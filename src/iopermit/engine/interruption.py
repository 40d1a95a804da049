"""Takes note of Ctrl-C, so that it is not lost in compiled code, a callback or between searches."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType, TracebackType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a process to end: Ctrl-C, `kill` and `timeout`, a closed terminal."""


def interrupt(_: int, __: FrameType | None) -> NoReturn:
    """Handle a signal as Python handles Ctrl-C. Raises KeyboardInterrupt."""
    raise KeyboardInterrupt


class Interruption:
    """While this context is open, the first signal that asks to end only sets `requested`.

    Python raises KeyboardInterrupt wherever it happens to be. Inside a function that compiled
    code calls back, the exception is printed and dropped, and the search would go on. The second
    signal raises KeyboardInterrupt all the same. Outside the main thread, or where the
    program handles a signal in its own way, nothing is changed.

    It can be opened again while it is open. What consists of several searches opens one around
    them all and hands it to them, and a Ctrl-C that comes when one of them has just ended is seen
    by the next.
    """

    def __init__(self) -> None:
        self.requested = False
        self._open = 0
        self._before: dict[signal.Signals, Callable[[int, FrameType | None], object]] = {}

    def __enter__(self) -> Interruption:  # noqa: PYI034 - there is no subclass
        """Take over."""
        self._open += 1
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                handler = signal.getsignal(number)
                if handler is signal.default_int_handler or handler is interrupt:
                    assert callable(handler)
                    self._before[number] = handler
                    signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give back, when it is closed as often as it was opened."""
        self._open -= 1
        if not self._open:
            while self._before:
                signal.signal(*self._before.popitem())

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            interrupt(number, frame)
        self.requested = True
