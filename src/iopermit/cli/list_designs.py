"""`iopermit list`: the designs that can be checked."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iopermit.cli.exit_codes import ExitCode
from iopermit.cli.output import print_result

if TYPE_CHECKING:
    from iopermit.system.design import Design

SCHEMA = "iopermit/list/1"
_WIDTH = 100


def list_designs(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False
) -> ExitCode:
    """List the designs: id, family, what it is, where it comes from, and its options."""
    from iopermit.designs import designs  # noqa: PLC0415 - imports numpy
    from iopermit.report.json import to_text  # noqa: PLC0415 - as above

    known = designs().values()
    if as_json:
        entries = [_entry(design) for design in known]
        print_result(to_text({"schema": SCHEMA, "designs": entries}))
    else:
        print_result("\n".join(_text(design) for design in known))
    return ExitCode.HOLDS


def _entry(design: type[Design]) -> dict[str, Any]:
    return {
        "id": design.id,
        "title": design.title,
        "family": design.family,
        "origin": design.origin,
        "options": design.options,
    }


def _text(design: type[Design]) -> str:
    lines = [design.id, f"  {design.title}"]
    lines += _wrapped("family: ", design.family) + _wrapped("origin: ", design.origin)
    for name, meaning in design.options.items():
        lines += _wrapped(f"--option {name}: ", meaning)
    return "\n".join(lines) + "\n"


def _wrapped(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        label + text, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False
    )
