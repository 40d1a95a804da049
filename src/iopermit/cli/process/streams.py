"""Standard streams that may be closed, full or a terminal: nothing else gets their numbers."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import os
import sys
import unicodedata
from typing import Final, TextIO

_ESCAPED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories of Unicode: control characters, formatting (also the one that writes from right to
left), halves of pairs, and separators of lines and paragraphs."""


class _Closed(io.TextIOBase):
    """Stands for standard output that was closed when the command began."""

    def write(self, _: str) -> int:
        """Refuse."""
        raise OSError(errno.EBADF, "it is closed")


class Diagnostics(io.TextIOBase):
    """Standard error, on which what cannot be written is dropped."""

    def write(self, text: str) -> int:
        """Write, if that is possible."""
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, if that is possible."""
        try:
            sys.stderr.flush()
        except (OSError, ValueError):
            give_up(sys.stderr)


@functools.cache
def reserve_standard_streams() -> tuple[bool, bool, bool]:
    """Return which of descriptors 0, 1 and 2 were open, and let nothing else get their numbers.

    Only the first call in a process looks.
    """
    states = []
    for number in range(3):
        try:
            os.fstat(number)
            states.append(True)
        except OSError:
            states.append(False)
            nothing = os.open(os.devnull, os.O_RDWR)
            if nothing != number:
                os.dup2(nothing, number)
                os.close(nothing)
    return states[0], states[1], states[2]


def prepare_standard_streams() -> None:
    """Make standard output and error such that writing to them cannot fail in unknown ways."""
    reserve_standard_streams()
    stdout: TextIO | None = sys.stdout
    stderr: TextIO | None = sys.stderr
    # Where a descriptor was closed, Python has None.
    if stdout is None:
        sys.stdout = _Closed()
    if stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - the null device, up to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A design's own text may hold what the terminal cannot show.
            stream.reconfigure(errors="backslashreplace")


def give_up(stream: TextIO) -> None:
    """Keep the interpreter from writing the rest of a stream again when it exits."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()


def printable(text: str, *, kept: str = "\n\t") -> str:
    """Return text with escapes for what would steer a terminal, but for some characters."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in kept or unicodedata.category(character) not in _ESCAPED
        else character.encode("ascii", "backslashreplace").decode()
        if ord(character) > 0x7F  # noqa: PLR2004 - what follows ASCII
        else f"\\x{ord(character):02x}"
        for character in text
    )
