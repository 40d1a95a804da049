"""Takes note of Ctrl-C, so that it is not lost in compiled code, a callback or between searches."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from types import FrameType, TracebackType


class Interruption:
    """While this context is open, the first Ctrl-C only sets `requested`.

    Python raises KeyboardInterrupt wherever it happens to be. Inside a function that compiled
    code calls back, the exception is printed and dropped, and the search would go on. The second
    Ctrl-C raises KeyboardInterrupt all the same. Outside the main thread, or where the
    program handles Ctrl-C in its own way, nothing is changed.

    Within another such context this one is only another name of that: what consists of several
    searches opens one around them all, and a Ctrl-C that comes when one of them has just ended is
    seen by the next.
    """

    _outermost: ClassVar[Interruption | None] = None

    def __init__(self) -> None:
        self.requested = False
        self._ours = False

    def __enter__(self) -> Interruption:  # noqa: PYI034 - it may be another one
        """Take over; return the outermost context that is open."""
        if Interruption._outermost is not None:
            return Interruption._outermost
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            Interruption._outermost = self
            self._ours = True
            signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give back, if it was this context that took over."""
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            Interruption._outermost = None
            self._ours = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            signal.default_int_handler(number, frame)
        self.requested = True
