"""Saves what is known of an internal error to a file that can be sent with a report."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import shlex
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import iopermit
from iopermit.engine.facts import Facts, facts_of

_MOST_NAMES: Final = 100
"""Names to try in a directory: faults of the same second."""
_LONGEST_SOURCE: Final = 1 << 20
_INTRODUCTION: Final = """\
What is known of an internal error of iopermit. Look through it before you send it: it has your
command line, and the source of your design. How to report it: SECURITY.md if it is a way out of
`iopermit run`, or dangerous while others can read it; else a new issue, "Wrong verdict or wrong
behaviour", with this file attached.
"""


def save_fault(error: BaseException, arguments: Sequence[str]) -> Path | None:
    """Write what is known of an internal error to a new file; return its name, or None.

    It goes to the working directory, or to the one for temporary files if that is not possible.

    Args:
        error: what was raised; `iopermit.engine.facts` says what it takes along.
        arguments: the command line, without the name of the command.
    """
    with contextlib.suppress(Exception):  # A fault in reporting a fault hides nothing.
        text = fault_report(error, arguments).encode("utf-8", "backslashreplace")
        for directory in _directories():
            file = _written(directory, text)
            if file is not None:
                return file
    return None


def fault_report(error: BaseException, arguments: Sequence[str]) -> str:
    """Return everything that is known of an internal error, as text with headings."""
    facts = facts_of(error)
    parts = [_INTRODUCTION, *_about_process(arguments)]
    parts += [f"error: {type(error).__name__}: {error}\n"]
    parts += [f"{name}: {_shown(value)}\n" for name, value in facts.items()]
    parts.append(f"\n--- traceback ---\n{''.join(traceback.format_exception(error))}")
    details = getattr(error, "details", "")
    if details:
        parts.append(f"\n--- traceback of the other process ---\n{details}\n")
    parts += [f"\n--- {file} ---\n{text}\n" for file, text in _sources(facts)]
    return "".join(parts)


def _about_process(arguments: Sequence[str]) -> Iterator[str]:
    yield f"\nversion: iopermit {iopermit.__version__}\n"
    yield f"Python: {platform.python_version()} on {platform.platform()}\n"
    yield f"command: {shlex.join(['iopermit', *arguments])}\n"
    with contextlib.suppress(OSError):  # It may have been removed.
        yield f"directory: {Path.cwd()}\n"


def _shown(value: object) -> str:
    """Return a fact on one line; of a long list each part on its own."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n  " + ",\n  ".join(map(json.dumps, value)) + "\n]"
    return value if isinstance(value, str) else json.dumps(value, default=repr)


def _sources(facts: Facts) -> Iterator[tuple[str, str]]:
    """Yield the files that the facts name, with their texts."""
    for name in ("design file", "saved file"):
        file = facts.get(name)
        if isinstance(file, str):
            with contextlib.suppress(OSError), open(file, "rb") as stream:  # noqa: PTH123 - any name
                yield file, stream.read(_LONGEST_SOURCE).decode("utf-8", "backslashreplace")


def _directories() -> Iterator[Path]:
    yield Path()
    with contextlib.suppress(OSError):
        yield Path(tempfile.gettempdir())


def _written(directory: Path, text: bytes) -> Path | None:
    """Write a new file into a directory and return its name; None if that is not possible."""
    now = dt.datetime.now().astimezone()
    for number in range(1, _MOST_NAMES + 1):
        suffix = f"-{number}" if number > 1 else ""
        file = directory / f"iopermit-fault-{now:%Y%m%d-%H%M%S}{suffix}.txt"
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        except OSError:
            return None
        try:
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(text)
        except OSError:
            with contextlib.suppress(OSError):
                file.unlink()
            return None
        return file
    return None
