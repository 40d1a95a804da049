"""`iopermit certify FILE`: check a certificate without the translator and without a search."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from iopermit.cli import scenario
from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode, exit_code
from iopermit.cli.output import OutputError, complain, print_result
from iopermit.engine.facts import concerning

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict
    from iopermit.search.problem import Problem

_WRITE_HINT: Final = "write one with: iopermit check DESIGN --cpus N ... --certificate FILE"
_EVERY: Final = 5.0
"""Seconds between lines about the progress."""


def certify_file(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="What `check --certificate FILE` wrote.", show_default=False
        ),
    ],
    *,
    design: Annotated[
        str, typer.Option(metavar="DESIGN", help="The design's id or file, if it moved.")
    ] = "",
    processes: Annotated[
        int,
        typer.Option(
            metavar="N",
            min=0,
            max=scenario.MOST_THREADS,
            help="Processes to use (0: one for each CPU).",
        ),
    ] = 0,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS", min=0, callback=scenario.seconds, help="Give up after this time."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the headline only, and no progress.")
    ] = False,
) -> ExitCode:
    """Verify that a certificate proves a design to hold in its scenario.

    The states in FILE must include the initial state and everything that can follow, and none may
    violate the specification. What can follow is found by interpreting the design's own source.
    Exit status: 0 verified, 1 refuted, 2 bad input, 3 a limit was reached.
    """
    from iopermit.certify.checker import certify  # imports numpy
    from iopermit.certify.errors import UnacceptableError
    from iopermit.report.certificate import certified_json, certified_text
    from iopermit.report.json import to_text

    try:
        with concerning(lambda: {"certificate": str(file), "design": design}):
            result = certify(
                file,
                design=design,
                processes=processes,
                timeout=timeout,
                progress=None if quiet else _shown(),
            )
    except UnacceptableError as error:
        raise BadInputError(f"{error}; {_WRITE_HINT}", "bad-file") from error
    except OSError as error:
        raise BadInputError(
            f"cannot read {file}: {error.strerror}; {_WRITE_HINT}", "bad-file"
        ) from error
    text = to_text(certified_json(result)) if as_json else certified_text(result, short=quiet)
    print_result(text)
    if result.limit:
        return ExitCode.UNDETERMINED
    return ExitCode.HOLDS if result.verified else ExitCode.VIOLATED


def _shown() -> Callable[[str, int, int], None]:
    """Return what writes a line to standard error now and then."""
    due = time.monotonic() + _EVERY

    def show(what: str, done: int, states: int) -> None:
        nonlocal due
        if time.monotonic() >= due:
            due = time.monotonic() + _EVERY
            complain(f"{what}: {done:,} of {states:,} ({done / states:.0%})")

    return show


def write_certificate(file: Path, problem: Problem, verdict: Verdict) -> ExitCode:
    """Write what proves that a design holds; say so if there is no such verdict.

    Raises:
        OutputError: the file cannot be written.
    """
    from iopermit.search.certificate import NoCertificateError, certify_search  # imports LLVM

    if verdict.verdict != "holds":
        complain(f"iopermit: no certificate is written: the verdict is {verdict.verdict}")
        return exit_code(verdict.verdict)
    try:
        certify_search(file, problem, verdict.options)
    except NoCertificateError as error:
        complain(f"iopermit: no certificate is written: {error}")
        return ExitCode.UNDETERMINED
    except OSError as error:
        raise OutputError(f"cannot write {file}: {error.strerror}") from error
    return ExitCode.HOLDS
