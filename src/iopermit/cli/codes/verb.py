"""`iopermit explain CODE`: what a finding or an error means, and what to do about it."""

from __future__ import annotations

import difflib
import textwrap
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from iopermit.cli.errors import BadInputError
from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import print_result
from iopermit.report.findings.error_codes import CODES

if TYPE_CHECKING:
    from iopermit.report.findings.codes import Code

SCHEMA: Final = "iopermit/explain/1"


def _codes_like(incomplete: str) -> list[tuple[str, str]]:
    return [(each.code, each.summary) for each in CODES if each.code.startswith(incomplete)]


def explain_code(
    code: Annotated[
        str | None,
        typer.Argument(
            metavar="CODE",
            help="As in `violation.kind` of JSON, `ruleId` of SARIF, or an error; all if none.",
            show_default=False,
            autocompletion=_codes_like,
        ),
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the codes as JSON.")] = False,
) -> ExitCode:
    """Explain a code of a finding or an error: what it means, and what to do about it."""
    wanted = [each for each in CODES if code in (None, each.code)]
    if not wanted:
        names = [each.code for each in CODES]
        close = difflib.get_close_matches(str(code), names, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the codes: {', '.join(names)}"
        raise BadInputError(f"there is no code {code!r}; {hint}")
    if as_json:
        from iopermit.report.json import to_text  # takes its time

        print_result(to_text({"schema": SCHEMA, "codes": [_entry(each) for each in wanted]}))
        return ExitCode.HOLDS
    from iopermit.cli.delivery.show import columns  # imports the report

    width = columns()
    print_result("\n".join(_text(each, width) for each in wanted))
    return ExitCode.HOLDS


def _entry(code: Code) -> dict[str, Any]:
    return {
        "code": code.code,
        "title": code.title,
        "summary": code.summary,
        "meaning": code.meaning,
        "remedy": code.remedy,
        "severity": code.severity,
        "exit_status": code.status,
        "url": code.url,
    }


def _text(code: Code, width: int) -> str:
    """Return the lines about one code."""
    grave = "no weakness" if code.severity is None else f"CVSS 3.1 base score {code.severity:.1f}"
    last = f"Severity: {grave}." if code.status is None else f"Exit status: {code.status}."
    paragraphs = [code.summary, code.meaning, f"What to do: {code.remedy}", last]
    lines = [f"{code.code}: {code.title}"]
    for text in paragraphs:
        lines += textwrap.wrap(
            text, width, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
    return "".join(f"{line}\n" for line in lines)
