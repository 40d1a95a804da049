"""Why the cache, or something in it, is not used; and the one line that says so."""

from __future__ import annotations

import contextlib
import sys


class UntrustedError(Exception):
    """The cache cannot be used: others could have written to it; ``str()`` says what and where."""


class RejectedError(Exception):
    """Something in the cache cannot be used; ``str()`` says why, and is the same for its like."""


_said: set[str] = set()


def explain_once(error: UntrustedError | RejectedError, what: object = "") -> None:
    """Say on standard error why the cache, or ``what`` of it, is not used: once in a process.

    Losing a cache costs time and changes no verdict, hence a line and no failure; and many things
    are lost for one reason, hence once.
    """
    if str(error) in _said:
        return
    _said.add(str(error))
    subject = (
        "the cache is not used" if isinstance(error, UntrustedError) else f"{what} is not used"
    )
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"iopermit: {subject}: {error}\n")
        sys.stderr.flush()
