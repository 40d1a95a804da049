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
_INDENT = 31
"""Columns of the id."""


def list_designs(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False
) -> ExitCode:
    """List the designs: id, family, what it is, where it comes from, and its options."""
    from iopermit.designs import designs  # imports numpy

    known = designs().values()
    if as_json:
        from iopermit.report.json import to_text

        entries = [_entry(design) for design in known]
        print_result(to_text({"schema": SCHEMA, "designs": entries}))
    else:
        from iopermit.cli.delivery.show import columns  # imports the report

        width = columns()
        print_result("".join(f"{line}\n" for design in known for line in _text(design, width)))
    return ExitCode.HOLDS


def _entry(design: type[Design]) -> dict[str, Any]:
    return {
        "id": design.id,
        "title": design.title,
        "family": design.family,
        "origin": design.origin,
        "options": design.options,
    }


def _text(design: type[Design], width: int) -> list[str]:
    """Return the lines about one design: id and title, family and origin, each option."""
    texts = [design.title, f"{design.family}; origin: {design.origin}"]
    texts += [f"--option {name}: {meaning}" for name, meaning in design.options.items()]
    room = width - _INDENT
    lines = [line for text in texts for line in textwrap.wrap(text, room, break_on_hyphens=False)]
    names = [design.id, *[""] * (len(lines) - 1)]
    return [f"{name:{_INDENT}}{line}" for name, line in zip(names, lines, strict=True)]
