"""Explains what ended a verb: one message on standard error, and the exit status."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import typer

from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import OutputError, complain
from iopermit.cli.process.extras import extra_of
from iopermit.cli.process.signals import is_interruption
from iopermit.cli.process.streams import give_up
from iopermit.designs import UnknownDesignError
from iopermit.designs.trial import ImportTimeoutError
from iopermit.engine.errors import MissingExtraError, ReplayError
from iopermit.kernel.errors import KernelTreeError
from iopermit.translate.frontend.source import DesignError

INTERRUPTED: Final = "iopermit: interrupted before there was a result [interrupted]"

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SCARCE: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN)
"""What the system refuses today and may grant tomorrow: descriptors, memory, processes."""

NO_LONGER: Final = "no longer show"
"""What the message of a replay says if every step is possible, and something else is shown."""

_SAVED: Final = """\
  This is a fault of iopermit, and no verdict. What is known of it (version, command line,
  traceback; design, scenario and schedule as far as it had come) was saved in
    {file}
  Look through it, then attach it to a new issue; SECURITY.md says what to report privately."""
_NOT_SAVED: Final = """\
  This is a fault of iopermit, and no verdict. What is known of it could be saved neither here nor
  in the directory for temporary files. Please report it with the command line and with what the
  command prints when IOPERMIT_TRACEBACK=1 is in the environment."""


class BadInputError(Exception):
    """Input or usage that cannot be accepted; ``str()`` says what is wrong and what to do.

    Attributes:
        code: what `iopermit explain` calls it.
    """

    def __init__(self, message: str, code: str = "bad-usage") -> None:
        self.code = code
        super().__init__(message)


class RepairedError(Exception):
    """What is checked changed, and a schedule no longer shows what ``str()`` says."""


class VerbError(Exception):
    """A verb ended with an exception, its cause.

    The parser of the command line has its own answers to some exceptions: a broken pipe or the end
    of a file, wherever it was met, would become a status of its own.
    """


def verb(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a verb whose exceptions, Ctrl-C included, come out as `VerbError`."""

    @functools.wraps(function)
    def wrapped(**arguments: Any) -> Any:  # noqa: ANN401 - the arguments of any verb
        try:
            return function(**arguments)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise VerbError from error

    return wrapped


def explain(error: BaseException, arguments: Sequence[str]) -> ExitCode:
    """Say on standard error what is wrong, and return the exit status.

    Args:
        error: what was raised.
        arguments: the command line, for the report of an internal error.
    """
    if isinstance(error, VerbError) and error.__cause__ is not None:
        return _explain_verb(error.__cause__, arguments)
    if isinstance(error, OSError):
        # The help, or the version.
        give_up(sys.stdout)
        message = f"iopermit: error: cannot write to standard output: {error.strerror}"
        _complain(message, "cannot-write")
        return ExitCode.BAD_INPUT
    return _explain_verb(error, arguments)


def _explain_verb(error: BaseException, arguments: Sequence[str]) -> ExitCode:
    if refused := _refused(error, arguments):
        _complain(*refused)
        return ExitCode.BAD_INPUT
    match error:
        case typer.Abort() | KeyboardInterrupt():
            complain(INTERRUPTED)
        case MemoryError() | ImportTimeoutError():
            _complain(_limit(error), "limit-reached")
        case OSError() if message := _of_system(error):
            if error.errno not in _SCARCE:
                _complain(f"iopermit: error: {message}", "system-refused")
                return ExitCode.BAD_INPUT
            _complain(f"iopermit: error: {message}", "limit-reached")
        case _ if hasattr(error, "format_message"):
            # Wrong usage. The class belongs to click, in later versions to typer's copy of it.
            complain(_usage(error, error.format_message()))
            return ExitCode.BAD_INPUT
        case _ if is_interruption(error):
            complain(INTERRUPTED)
        case _:
            return _internal(error, arguments)
    return ExitCode.UNDETERMINED


def _refused(error: BaseException, arguments: Sequence[str]) -> tuple[str, str] | None:
    """Return the message and the code of an error of our own about input; None for all others."""
    match error:
        case DesignError():
            return str(error), "bad-design"
        case UnknownDesignError():
            message, code = f"{error}; `iopermit list` shows all designs", "unknown-design"
        case BadInputError() | KernelTreeError():
            message, code = str(error), error.code
        case OutputError():
            message, code = str(error), "cannot-write"
        case MissingExtraError():
            message, code = str(error), "missing-extra"
        case ImportError() if missing := extra_of(error, arguments):
            message, code = str(missing), "missing-extra"
        case _:
            return None
    return f"iopermit: error: {message}", code


def with_code(message: str, code: str) -> str:
    """Return a message whose first line ends with a code, as compilers write it."""
    first, end, rest = message.partition("\n")
    return f"{first} [{code}]{end}{rest}"


def _complain(message: str, code: str) -> None:
    complain(with_code(message, code))


def _limit(error: BaseException) -> str:
    if isinstance(error, MemoryError):
        return "iopermit: error: out of memory; lower --max-memory or check a smaller scenario"
    return f"iopermit: undetermined: {error}"


def _of_system(error: OSError) -> str:
    """Return what the system refused, and of which file; empty if it is no matter of the user's."""
    reason = error.strerror or str(error)
    if error.errno in _SCARCE:
        return f"the system has no more for this process: {reason}"
    if isinstance(error, FileNotFoundError) and _directory_is_gone():
        return "the working directory was removed; change to another one"
    if isinstance(error.filename, str | bytes) and error.filename:
        return f"{os.fsdecode(error.filename)}: {reason}"
    if error.errno in _FULL:
        return f"cannot write a temporary file, or one of the cache: {reason}"
    return ""


def _directory_is_gone() -> bool:
    with contextlib.suppress(FileNotFoundError):
        os.getcwd()  # noqa: PTH109 - its exception only
        return False
    return True


def _usage(error: object, message: str) -> str:
    if message.startswith("Usage:"):
        # A command without arguments: this is its help.
        return message
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "iopermit"
    return with_code(f"iopermit: error: {message}\n  see: {command} --help", "bad-usage")


def _fault(error: BaseException) -> str:
    """Return what an internal error is, on one line."""
    if isinstance(error, ReplayError):
        message = f"the replay at full size disagrees with the search: {error}"
    elif hasattr(error, "details"):
        # The emulator's process says itself what it was.
        message = str(error)
    else:
        message = f"{type(error).__name__}: {error}"
    return " ".join(message.split())


def _internal(error: BaseException, arguments: Sequence[str]) -> ExitCode:
    from iopermit.cli.process.faults import save_fault  # only when it is needed

    file = save_fault(error, arguments)
    remedy = _NOT_SAVED if file is None else _SAVED.format(file=file)
    _complain(f"iopermit: internal error: {_fault(error)}\n{remedy}", "internal-error")
    if os.environ.get("IOPERMIT_TRACEBACK") == "1":
        import traceback  # only when it is needed

        complain("".join(traceback.format_exception(error)))
    return ExitCode.INTERNAL_ERROR
