"""Verdicts as a mail to a list of developers, in plain text, or as a comment in Markdown."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import iopermit
from iopermit.report import words
from iopermit.report.findings.codes import HOMEPAGE, finding
from iopermit.report.findings.identity import finding_id, place_of
from iopermit.report.findings.source_root import SourceRoot
from iopermit.report.table import timeline_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.engine.verdict import Verdict

WIDTH: Final = 72
"""Columns: quoted several times, a line still fits (RFC 5322 recommends 78 at most)."""
MOST_LINES: Final = 60
"""Lines of a whole mail: readers of a list look no further."""
_INDENT: Final = " " * 11
"""Of what follows a label."""


@dataclass(frozen=True)
class _Letter:
    """What a message says about a verdict, whatever its form."""

    subject: str
    facts: dict[str, str]
    schedule: list[str]
    further: list[str]


def mail_text(verdict: Verdict, command: str) -> str:
    """Return a mail: a line for the subject, then at most 72 columns, and 60 lines together.

    Args:
        verdict: what was found.
        command: the command line that found it.
    """
    letter = _letter(verdict, command)
    head = [*_wrapped(f"Subject: [iopermit] {letter.subject}", " "), ""]
    facts = [line for label, text in letter.facts.items() for line in _fact(label, text)]
    further = [line for text in letter.further for line in _wrapped(text, "     ")]
    end = ["", "-- ", f"iopermit {iopermit.__version__}, {HOMEPAGE}"]
    schedule = ["", *letter.schedule] if letter.schedule else []
    further = ["", *further] if further else []
    return _text([*head, *facts], schedule, further, end)


def _text(head: list[str], schedule: list[str], further: list[str], end: list[str]) -> str:
    """Return the parts one after the other; what is too much of the schedule is counted instead."""
    over = len(head) + len(schedule) + len(further) + len(end) - MOST_LINES
    if over > 0 and further:
        left = max(1, len(further) - over - 1)
        further = [*further[:left], "and further violations: see --all"]
        over = len(head) + len(schedule) + len(further) + len(end) - MOST_LINES
    if over > 0:
        kept = max(2, len(schedule) - over - 1)
        rest = words.count(len(schedule) - kept, "line")
        schedule = [*schedule[:kept], f"  [{rest} more: iopermit replay shows the whole]"]
    return "".join(f"{line}\n" for line in [*head, *schedule, *further, *end])


def markdown_text(verdict: Verdict, command: str) -> str:
    """Return a comment for a code host: headline, a table of facts, the schedule as it is.

    Args:
        verdict: what was found.
        command: the command line that found it.
    """
    letter = _letter(verdict, command)
    rows = [f"| {label} | {_cell(text)} |" for label, text in letter.facts.items()]
    lines = [f"### {_escaped(letter.subject)}", "", "| | |", "| --- | --- |", *rows]
    if letter.schedule:
        lines += ["", "```text", *letter.schedule, "```"]
    if letter.further:
        lines += ["", *(f"- {_escaped(text)}" for text in letter.further)]
    return "".join(f"{line}\n" for line in lines)


def _letter(verdict: Verdict, command: str) -> _Letter:
    further = [words.headline(other) for other in verdict.also]
    if left := words.what_is_open(verdict):
        further.append(left)
    schedule = timeline_table(verdict.trace, WIDTH) if verdict.trace else []
    return _Letter(words.headline(verdict), dict(_facts(verdict, command)), schedule, further)


def _facts(verdict: Verdict, command: str) -> Iterator[tuple[str, str]]:
    """Yield what a reader needs to believe it, and to see it for himself."""
    violation, kernel = verdict.violation, verdict.kernel
    if violation is not None:
        yield "finding", f"{finding_id(verdict)} ({finding(violation.kind).summary[:-1]})"
    if kernel is not None:
        yield "base", f"Linux {kernel.version}, {kernel.tree}, code {kernel.key[:12]}"
        if kernel.patches:
            yield "reverted" if kernel.reverse else "patches", ", ".join(kernel.patches)
        yield "compiler", kernel.compiler
    else:
        yield "base", SourceRoot(verdict).relative(verdict.design_file)[1]
    yield "command", command
    yield "config", f"{words.bounds(verdict.scenario)}; {words.events(verdict.scenario)}"
    yield "search", words.search_figures(verdict.search)
    site = place_of(verdict)
    if site is not None:
        yield "source", f"{words.place(site)}: {site.text.strip()}"
    if violation is not None and verdict.search.confirmed_full_size:
        yield "confirmed", "the schedule was executed again on 65,536 ports and a real TSS"


def _fact(label: str, text: str) -> list[str]:
    return _wrapped(f"{label + ':':{len(_INDENT)}}{text}", _INDENT)


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _escaped(text: str) -> str:
    """Return text in which nothing is an element of Markdown or HTML."""
    for character in "\\`*_[]<>|#":
        text = text.replace(character, f"\\{character}")
    return text


def _cell(text: str) -> str:
    """Return text for a cell of a table, as code."""
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{' '.join(text.split()).replace('|', chr(92) + '|')}{ticks}"
