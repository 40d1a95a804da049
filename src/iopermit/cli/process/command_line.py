"""The command line as it was given, for reports that say how something was found."""

from __future__ import annotations

import shlex
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_words: ContextVar[Sequence[str]] = ContextVar("words", default=())


def remember(words: Sequence[str]) -> None:
    """Take note of the words after the name of the command."""
    _words.set(tuple(words))


def command_line() -> str:
    """Return the command as a shell reads it."""
    return shlex.join(["iopermit", *_words.get()])
