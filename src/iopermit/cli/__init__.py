"""The command line: runs a verb and turns whatever happens into one message and an exit status."""

from __future__ import annotations

import sys

from iopermit.cli.exit_codes import ExitCode, ProgramStatus
from iopermit.cli.output import complain

__all__ = ["ExitCode", "main"]


def main(arguments: list[str] | None = None) -> int:
    """Run iopermit with command-line arguments (the process's, if None); return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A design's own text may hold what the terminal cannot show.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(arguments)
    except KeyboardInterrupt:
        complain("iopermit: interrupted before there was a result")
        return ExitCode.UNDETERMINED
    except Exception as error:  # noqa: BLE001 - the user never sees a traceback
        from iopermit.cli.errors import explain  # only when it is needed

        return explain(error)


def _run(arguments: list[str] | None) -> int:
    from iopermit.cli.app import command  # typer takes its time

    words = sys.argv[1:] if arguments is None else arguments
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
