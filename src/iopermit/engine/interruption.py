"""Takes note of Ctrl-C, so that it is not lost in compiled code, a callback or between searches."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType, TracebackType


class Interruption:
    """While this context is open, the first Ctrl-C only sets `requested`.

    Python raises KeyboardInterrupt wherever it happens to be. Inside a function that compiled
    code calls back, the exception is printed and dropped, and the search would go on. The second
    Ctrl-C raises KeyboardInterrupt all the same. Outside the main thread, or where the
    program handles Ctrl-C in its own way, nothing is changed.

    It can be opened again while it is open. What consists of several searches opens one around
    them all and hands it to them, and a Ctrl-C that comes when one of them has just ended is seen
    by the next.
    """

    def __init__(self) -> None:
        self.requested = False
        self._open = 0
        self._ours = False

    def __enter__(self) -> Interruption:  # noqa: PYI034 - there is no subclass
        """Take over."""
        self._open += 1
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._ours = True
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give back, when it is closed as often as it was opened."""
        self._open -= 1
        if self._ours and not self._open:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._ours = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            signal.default_int_handler(number, frame)
        self.requested = True
