"""Writes results so that nothing is lost: whole files or none, and a message on a full disk."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path


class OutputError(Exception):
    """A result could not be written; ``str()`` says which, and why."""


def print_result(text: str) -> None:
    """Write the result to standard output and make sure that it got there.

    A reader that went away (``| head``) wants no more and is no error.

    Raises:
        OutputError: it cannot be written, for example because the disk is full.
    """
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        give_up_stdout()
    except OSError as error:
        give_up_stdout()
        raise OutputError(f"cannot write to standard output: {error.strerror}") from error


def give_up_stdout() -> None:
    """Keep the interpreter from flushing standard output again when it exits."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def check_writable(file: Path) -> None:
    """Refuse a file that cannot be written, before the work whose result it is to receive.

    Raises:
        OutputError: it is a directory, or its directory does not exist or is not writable.
    """
    target = Path(os.path.realpath(file))
    if target.is_dir():
        raise OutputError(f"cannot write {file}: it is a directory")
    if not target.parent.is_dir():
        raise OutputError(f"cannot write {file}: there is no directory {target.parent}")
    special = target.exists() and not target.is_file()
    if not os.access(target if special else target.parent, os.W_OK):
        raise OutputError(f"cannot write {file}: permission denied")


def write_file(file: Path, text: str) -> None:
    """Write a whole file; if that fails, what the file had before is still there.

    Raises:
        OutputError: it cannot be written, for example because the disk is full.
    """
    target = Path(os.path.realpath(file))
    try:
        if target.exists() and not target.is_file():
            # A device or a pipe cannot be replaced.
            target.write_text(text, encoding="utf-8")
        else:
            _replace(target, text)
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror}; nothing was changed") from error


def _replace(target: Path, text: str) -> None:
    import tempfile  # takes its time, and most results go to standard output

    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(handle)
        temporary.chmod(_mode(target))
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _mode(target: Path) -> int:
    """Return the mode that the file has, or that a new file gets."""
    if target.exists():
        return target.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def complain(message: str) -> None:
    """Write a message to standard error, if that is possible."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(message + "\n")
        sys.stderr.flush()
