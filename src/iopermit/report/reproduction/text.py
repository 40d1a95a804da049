"""What was seen on a booted kernel, as text: the table of `check` with one more column."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

from iopermit.report.reproduction.told import SEEN, facts_of, headline, outcome, seen_behind
from iopermit.report.table import laid_out, timeline_cells
from iopermit.report.text import WIDTH, Line, SeenOnKernel, labelled
from iopermit.report.timeline import timeline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.report.reproduction.facts import Reproduction

_STYLES: Final = {
    "reproduced": "bold red",
    "not reproduced": "bold green",
    "undetermined": "bold yellow",
}


def reproduction_text(found: Reproduction) -> list[Line]:
    """Return the report."""
    lines = [
        Line(part, _STYLES[found.outcome])
        for part in textwrap.wrap(headline(found), WIDTH, subsequent_indent="     ")
    ]
    lines.append(Line(""))
    first, *others = _table(found)
    lines += [Line(first, "bold"), *map(Line, others), Line("")]
    lines += _facts(found)
    return [Line(line.text.rstrip(), line.style) for line in lines]


def seen_on_kernel(found: Reproduction) -> SeenOnKernel:
    """Return what the report of `check` says besides."""
    table = tuple(_table(found)) if found.runs else ()
    return SeenOnKernel(Line(outcome(found), _STYLES[found.outcome]), table, tuple(_facts(found)))


def _table(found: Reproduction) -> list[str]:
    """Return the lines of the table, heading first."""
    rows = timeline(found.verdict.trace or ())
    cpus = sorted({row.cpu for row in rows})
    seen = seen_behind(found)
    head = ["step", *(f"CPU {cpu}" for cpu in cpus), "what happens", "I/O map base", SEEN]
    body = [
        [*timeline_cells(number, row, cpus)[:-1], seen.get(number, "")]
        for number, row in enumerate(rows, 1)
    ]
    return laid_out(head, body, WIDTH, wrapped=len(cpus) + 1)


def _facts(found: Reproduction) -> Iterator[Line]:
    for label, text in facts_of(found):
        yield from labelled(label, text)
