"""Writes results so that nothing is lost: whole files or none, and a message on a full disk."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from iopermit.cli.process.extras import require
from iopermit.cli.process.streams import give_up, printable


def _with_pages(file: Path | None) -> Path | None:
    """Refuse to begin what could not be written in the end."""
    if file is not None:
        require("web")
    return file


Html = Annotated[
    Path | None,
    typer.Option(
        "--html",
        metavar="FILE",
        callback=_with_pages,
        help="Also write a page of HTML, with drawings.",
    ),
]


class OutputError(Exception):
    """A result could not be written; ``str()`` says which, and why."""


def print_result(text: str, *, styled: bool = False) -> None:
    """Write the result to standard output and make sure that it got there.

    A reader that went away (``| head``) wants no more and is no error.

    Args:
        text: the result. What would steer a terminal is escaped.
        styled: whether it may, because it has colours.

    Raises:
        OutputError: it cannot be written, for example because the disk is full.
    """
    try:
        sys.stdout.write(text if styled else printable(text))
        sys.stdout.flush()
    except BrokenPipeError:
        give_up(sys.stdout)
    except OSError as error:
        give_up(sys.stdout)
        raise OutputError(f"cannot write to standard output: {error.strerror}") from error


def check_writable(file: Path) -> None:
    """Refuse a file that cannot be written, before the work whose result it is to receive.

    Raises:
        OutputError: it is a directory, its name is too long or loops, or its directory does not
            exist or is not writable.
    """
    try:
        target = Path(os.path.realpath(file))
        if target.is_dir():
            raise OutputError(f"cannot write {file}: it is a directory")
        if not target.parent.is_dir():
            raise OutputError(f"cannot write {file}: there is no directory {target.parent}")
        special = target.exists() and not target.is_file()
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror}") from error
    if not os.access(target if special else target.parent, os.W_OK):
        raise OutputError(f"cannot write {file}: permission denied")


def write_file(file: Path, text: str) -> None:
    """Write a whole file; if that fails, what the file had before is still there.

    Raises:
        OutputError: it cannot be written, for example because the disk is full.
    """
    from iopermit.engine.whole_file import whole_file  # only now needed

    try:
        with whole_file(file) as stream:
            stream.write(text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror}; nothing was changed") from error


def complain(message: str) -> None:
    """Write a message to standard error, if that is possible; what steers a terminal is escaped."""
    try:
        sys.stderr.write(printable(message) + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        # What is left of it must not be tried again at the end of the process: its status is known.
        give_up(sys.stderr)
