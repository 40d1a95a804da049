"""The command line: runs a verb and turns whatever happens into one message and an exit status."""

from __future__ import annotations

import sys

from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import complain

__all__ = ["ExitCode", "main"]


def main(arguments: list[str] | None = None) -> int:
    """Run iopermit with command-line arguments (the process's, if None); return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        # A design's own text may hold what the terminal cannot show.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        from iopermit.cli.app import app  # noqa: PLC0415 - errors while importing are told, too

        return app(sys.argv[1:] if arguments is None else arguments)
    except KeyboardInterrupt:
        complain("iopermit: interrupted before there was a result")
        return ExitCode.UNDETERMINED
    except Exception as error:  # noqa: BLE001 - the user never sees a traceback
        from iopermit.cli.errors import explain  # noqa: PLC0415 - only when it is needed

        return explain(error)
