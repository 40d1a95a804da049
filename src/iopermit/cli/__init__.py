"""The command line: runs a verb and turns whatever happens into one message and an exit status."""

from __future__ import annotations

import gc
import sys
from typing import Final

from iopermit.cli.exit_codes import ExitCode, ProgramStatus
from iopermit.cli.output import complain
from iopermit.cli.process.command_line import remember
from iopermit.cli.process.signals import ending_signals, ignore_signals
from iopermit.cli.process.streams import prepare_standard_streams

__all__ = ["ExitCode", "main"]

_YOUNG_OBJECTS: Final = 10_000
"""Objects that are made between two looks for cycles among them. What a translation makes lives
till its end; at Python's own 700, looking for garbage there is a twentieth of a short check."""


def main(arguments: list[str] | None = None) -> int:
    """Run iopermit with command-line arguments (the process's, if None); return the exit status.

    With the process's own arguments, signals that ask it to end are ignored from then on: the
    status is decided.
    """
    try:
        return _main(sys.argv[1:] if arguments is None else arguments, own=arguments is None)
    except KeyboardInterrupt:
        if arguments is None:
            ignore_signals()
        complain("iopermit: interrupted before there was a result [interrupted]")
        return ExitCode.UNDETERMINED


def _main(words: list[str], *, own: bool) -> int:
    remember(words)
    prepare_standard_streams()
    if own:
        gc.set_threshold(_YOUNG_OBJECTS)
    with ending_signals(for_good=own):
        try:
            status = _run(words)
            ignore_signals()
        except Exception as error:  # noqa: BLE001 - the user never sees a traceback
            ignore_signals()
            from iopermit.cli.errors import explain  # only when it is needed

            return explain(error, words)
        return status


def _run(words: list[str]) -> int:
    from iopermit.cli.app import command  # typer takes its time

    try:
        result = command(words)(words, prog_name="iopermit", standalone_mode=False)
    except SystemExit:
        # typer's answer when the reader of --help goes away.
        return ExitCode.HOLDS
    if isinstance(result, (ExitCode, ProgramStatus)):
        return result
    if result:
        # typer answers Ctrl-C with 130.
        raise KeyboardInterrupt
    return ExitCode.HOLDS
