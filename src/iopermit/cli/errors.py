"""Explains what ended a verb: one message on standard error, and the exit status."""

from __future__ import annotations

import errno
import os

import typer

from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import OutputError, complain, give_up_stdout
from iopermit.designs import UnknownDesignError
from iopermit.engine.errors import MissingExtraError, ReplayError
from iopermit.kernel.errors import KernelTreeError
from iopermit.translate.frontend.source import DesignError
from iopermit.translate.frontend.trial import ImportTimeoutError

_REPORT_HINT = (
    "  This is a fault of iopermit. Please report it with the command line and with what the\n"
    "  command prints when IOPERMIT_TRACEBACK=1 is in the environment."
)


class BadInputError(Exception):
    """Input or usage that cannot be accepted; ``str()`` says what is wrong and what to do."""


def explain(error: Exception) -> ExitCode:
    """Say on standard error what is wrong, and return the exit status."""
    match error:
        case DesignError():
            complain(str(error))
        case UnknownDesignError():
            complain(f"iopermit: error: {error}; `iopermit list` shows all designs")
        case BadInputError() | KernelTreeError() | OutputError() | MissingExtraError():
            complain(f"iopermit: error: {error}")
        case typer.Abort():
            complain("iopermit: interrupted before there was a result")
            return ExitCode.UNDETERMINED
        case MemoryError() | ImportTimeoutError():
            complain(_limit(error))
            return ExitCode.UNDETERMINED
        case ReplayError():
            return _internal(f"the replay at full size disagrees with the search: {error}", error)
        case BrokenPipeError():
            give_up_stdout()
            return ExitCode.HOLDS
        case OSError(errno=errno.ENOSPC | errno.EDQUOT | errno.EFBIG):
            # From typer, which prints the help itself.
            give_up_stdout()
            complain(f"iopermit: error: cannot write to standard output: {error.strerror}")
        case _ if hasattr(error, "format_message"):
            # Wrong usage. The class belongs to click, in later versions to typer's copy of it.
            complain(_usage(error, error.format_message()))
        case _:
            return _internal(f"{type(error).__name__}: {error}", error)
    return ExitCode.BAD_INPUT


def _limit(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "iopermit: error: out of memory; lower --max-memory or check a smaller scenario"
    return f"iopermit: undetermined: {error}"


def _usage(error: Exception, message: str) -> str:
    if message.startswith("Usage:"):
        # A command without arguments: this is its help.
        return message
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "iopermit"
    return f"iopermit: error: {message}\n  see: {command} --help"


def _internal(message: str, error: Exception) -> ExitCode:
    complain(f"iopermit: internal error: {' '.join(message.split())}\n{_REPORT_HINT}")
    if os.environ.get("IOPERMIT_TRACEBACK") == "1":
        import traceback  # only when it is needed

        complain("".join(traceback.format_exception(error)))
    return ExitCode.INTERNAL_ERROR
