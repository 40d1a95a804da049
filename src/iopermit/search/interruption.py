"""Takes note of Ctrl-C, so that it is not lost inside compiled code or a callback of one."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType


class Interruption:
    """While this context is open, the first Ctrl-C only sets `requested`.

    Python raises KeyboardInterrupt wherever it happens to be. Inside a function that compiled
    code calls back, the exception is printed and dropped, and the search would go on. The second
    Ctrl-C raises KeyboardInterrupt all the same. Outside the main thread, or where the
    program handles Ctrl-C in its own way, nothing is changed.
    """

    def __init__(self) -> None:
        self.requested = False
        self._ours = False

    def __enter__(self) -> Self:
        """Take over."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._note)
            self._ours = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give back."""
        if self._ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            signal.default_int_handler(number, frame)
        self.requested = True
