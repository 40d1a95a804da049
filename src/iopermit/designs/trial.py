"""Imports a design's file in a child process first: what ends or stops that harms nothing here.

A design file is code that its user trusts; but it may end the process, close a stream or never come
to an end, and the exit status of a check must not depend on that.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECONDS: Final = 60.0
"""How long importing may take if no limit is given."""

_HANDLED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class FailedTrial:
    """How importing a file failed."""

    message: str
    line: int = 0
    """The last line of the file that was executed, or 0 if it is not known."""


class ImportTimeoutError(Exception):
    """Importing a design's file takes longer than it may."""


def failure_of(
    execute: Callable[[], object], file: str, seconds: float | None
) -> FailedTrial | None:
    """Execute code in a child process; return how it fails, or None if it ends.

    Raises:
        ImportTimeoutError: it does not end within ``seconds`` (SECONDS if None).
        OSError: there can be no further process.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _report(execute, file, writing)
    os.close(writing)
    try:
        text = _read(reading, SECONDS if seconds is None else seconds)
    finally:
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not text:
        return FailedTrial("importing the file ends the process")
    outcome = json.loads(text)
    return None if outcome is None else FailedTrial(*outcome)


def _report(execute: Callable[[], object], file: str, writing: int) -> None:
    """Tell through a pipe how the code ends, and end the process."""
    outcome: tuple[str, int] | None = None
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        execute()
    except BaseException as error:  # noqa: BLE001 - whatever the file raises
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
        where = line or (lines[-1] if lines else 0) or 0
        outcome = (f"importing the file fails: {type(error).__name__}: {_text(error)}", where)
    finally:
        with contextlib.suppress(OSError):
            os.write(writing, json.dumps(outcome).encode()[:4096])
        os._exit(0)


def _text(error: BaseException) -> str:
    """Return what an error says; even that may fail."""
    try:
        return str(error)[:1000]
    except Exception:  # noqa: BLE001 - a design's own exception class
        return "(it cannot be printed)"


def _read(reading: int, seconds: float) -> bytes:
    end, text = time.monotonic() + seconds, b""
    while True:
        left = end - time.monotonic()
        if left <= 0 or not select.select([reading], [], [], left)[0]:
            raise ImportTimeoutError(f"importing the design's file takes more than {seconds:g} s")
        part = os.read(reading, 4096)
        if not part:
            return text
        text += part


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Give back what code may have changed: streams, directory, limits, signal handlers.

    What it prints goes to standard error: standard output is for results.
    """
    streams = sys.stdin, sys.stdout, sys.stderr
    copies = [(number, _copy(number)) for number in (0, 1, 2)]
    directory = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    depth = sys.getrecursionlimit()
    handlers = {number: signal.getsignal(number) for number in _HANDLED}
    sys.stdout = sys.stderr = _printer()
    try:
        yield
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
        sys.stdin, sys.stdout, sys.stderr = streams
        for number, copy in copies:
            if copy is not None:
                os.dup2(copy, number)
                os.close(copy)
        os.fchdir(directory)
        os.close(directory)
        sys.setrecursionlimit(depth)
        with contextlib.suppress(ValueError):  # Not in the main thread.
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _printer() -> TextIO:
    """Return a stream of its own to where standard error goes."""
    copy = _copy(2)
    target = os.open(os.devnull, os.O_WRONLY) if copy is None else copy
    return os.fdopen(target, "w", encoding="utf-8", errors="backslashreplace")


def _copy(descriptor: int) -> int | None:
    try:
        return os.dup(descriptor)
    except OSError:
        return None
