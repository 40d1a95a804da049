"""Writes a verdict everywhere it is wanted: report, JSON, SARIF, JUnit, page, saved file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from iopermit.cli.errors import BadInputError
from iopermit.cli.kernel import source_text
from iopermit.cli.output import OutputError, print_result, write_file
from iopermit.cli.process.streams import printable
from iopermit.cli.reproduce.request import page_of
from iopermit.cli.reproduce.with_check import lines_of, member_of, seen_of

if TYPE_CHECKING:
    from iopermit.cli.reproduce.request import ReproductionRequest
    from iopermit.engine.verdict import Verdict
    from iopermit.report.reproduction.facts import Reproduction

_FORMATS: Final = ("text", "mail", "markdown")
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="text|mail|markdown",
        help="Write the report as a mail of at most 60 lines, or as a comment in Markdown.",
        show_default="text",
    ),
]


@dataclass(frozen=True)
class Output:
    """Where the verdict goes, and how much of it."""

    as_json: bool = False
    steps: bool = False
    quiet: bool = False
    sarif: Path | None = None
    junit: Path | None = None
    html: Path | None = None
    save: Path | None = None
    replayed: Path | None = None
    """The file that the verdict came from, if it is a replay."""
    form: str | None = None
    """How the report is written: `text`, `mail` or `markdown`."""
    seen: Reproduction | None = None
    """What was seen of the violation on a booted kernel, if that was asked for."""

    def __post_init__(self) -> None:
        """Refuse what cannot be written. Raises BadInputError."""
        if self.form not in (None, *_FORMATS):
            raise BadInputError(f"--format {self.form}: choose from {', '.join(_FORMATS)}")
        if self.form is not None and (self.as_json or self.steps):
            raise BadInputError("--format excludes --json and --steps")

    @property
    def files(self) -> list[Path]:
        """The files that are to be written."""
        return [file for file in (self.sarif, self.junit, self.html, self.save) if file is not None]


def deliver_with_reproduction(
    verdict: Verdict, output: Output, booted: ReproductionRequest | None
) -> None:
    """Write the verdict, with what a booted kernel shows of it if that is asked for.

    It is saved before: booting takes its time, and may be interrupted.
    """
    if booted is not None and output.save is not None:
        from iopermit.report.json import to_text, verdict_json  # only now needed

        write_file(output.save, to_text(_saved(verdict_json(verdict), output.save)))
    deliver(verdict, replace(output, seen=seen_of(verdict, booted)))


def deliver(verdict: Verdict, output: Output) -> None:
    """Write the verdict everywhere it is wanted; one place that fails does not stop the others.

    Raises:
        OutputError: some place could not be written.
    """
    failures = []
    for file, text in _texts(verdict, output):
        try:
            print_result(text, styled=True) if file is None else write_file(file, text)
        except OutputError as error:
            failures.append(str(error))
    if failures:
        raise OutputError("; ".join(failures))


def _texts(verdict: Verdict, output: Output) -> Iterator[tuple[Path | None, str]]:
    """Yield what to write, and where; None is standard output."""
    from iopermit.report.json import to_text, verdict_json  # only now needed

    found = verdict_json(verdict) if output.as_json or output.save else {}
    if output.as_json:
        yield None, to_text(found | member_of(output.seen))
    elif output.form in ("mail", "markdown"):
        from iopermit.cli.process.command_line import command_line
        from iopermit.report.messages.mail import mail_text, markdown_text

        written = mail_text if output.form == "mail" else markdown_text
        yield None, printable(written(verdict, command_line()), kept="\n")
    else:
        from iopermit.cli.delivery.show import as_text, columns, in_colour
        from iopermit.report.text import report

        saved, width = output.save or output.replayed, columns()
        lines = report(
            verdict,
            steps=output.steps,
            headline_only=output.quiet,
            saved=saved,
            width=width,
            seen=lines_of(output.seen),
        )
        yield None, as_text(lines, colour=in_colour())
    if output.save:
        yield output.save, to_text(_saved(found, output.save))
    if output.sarif:
        from iopermit.report.sarif import sarif_log

        yield output.sarif, to_text(sarif_log(verdict))
    if output.junit:
        from iopermit.report.junit import junit_xml

        yield output.junit, junit_xml(verdict)
    if output.html:
        yield output.html, _page(verdict, output.seen)


def _saved(found: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return what a file gets that `replay` and `reproduce` read."""
    from iopermit.report.portable import portable  # only now needed

    return portable(found, file.parent)


def _page(verdict: Verdict, seen: Reproduction | None) -> str:
    if seen is not None:
        return page_of(seen)
    from iopermit.report.html.rendering import verdict_html  # imports Jinja
    from iopermit.report.html.verdict_page import verdict_page

    return verdict_html(verdict_page(verdict, source_text(verdict.kernel)))
