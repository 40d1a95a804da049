"""What a sweep found, as text: a paragraph for each subject, then changes, then counts."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Final

from iopermit.report.sweep.facts import OUTCOMES, cell_text
from iopermit.report.text import WIDTH, Line
from iopermit.report.words import count

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iopermit.report.sweep.facts import (
        SweepMatrix,
        SweepReport,
        SweptJob,
        UnsearchedGap,
        VerdictChange,
    )

_STYLES: Final = {"violated": "bold red", "holds": "green"}
_LEAST: Final = 30
"""Columns that are left to what a line says, however long its heading is."""


def sweep_text(report: SweepReport, width: int = WIDTH) -> list[Line]:
    """Return the lines of the report."""
    lines = [Line(report.title), Line("")] if report.title else []
    matrices = report.matrices
    for matrix in matrices:
        if len(matrices) > 1 or matrix.jobs[0].commit is not None:
            lines += [Line(matrix.name), Line("")]
        lines += [*_matrix(matrix, width), Line("")]
    lines += _wrapped(map(change_text, report.changes), width)
    lines += _wrapped(map(gap_text, report.gaps), width)
    return [*lines, *_wrapped([summary(report)], width)]


def told(job: SweptJob) -> str:
    """Return that a job ended, on one line."""
    variant = job.variant
    parts = [job.subject, job.commit.short if job.commit is not None else "", variant.patches]
    where = ", ".join(part for part in (*parts, variant.events) if part)
    return f"{where}: {cell_text(job)}, {job.seconds:.1f} s"


def change_text(change: VerdictChange) -> str:
    """Return which commit changes a verdict, in one sentence."""
    last = change.commits[-1]
    who = f'{last.short} "{last.summary}"'
    if len(change.commits) > 1:
        first = change.commits[0]
        number = count(len(change.commits), "commit")
        who = f"one of {number} from {first.short} to {who}: those in between have no verdict"
    what = f"{change.before} -> {change.after}"
    return f"{_about(change)}: {change.effect} by {who} ({what})"


def gap_text(gap: UnsearchedGap) -> str:
    """Return what a bisection left out, in one sentence."""
    number = count(gap.revisions, "revision")
    return (
        f"{_about(gap)}: not judged: {number} between {gap.first.short} and {gap.last.short}, "
        "which have the same verdict"
    )


def summary(report: SweepReport) -> str:
    """Return how many jobs ended in which way."""
    counts = report.counts
    parts = [f"{each} {counts[each]:,}" for each in OUTCOMES if counts[each]]
    kept = sum(job.kept for job in report.jobs)
    known = f"; {kept:,} known from before" if kept else ""
    return f"{count(len(report.jobs), 'job')}: {', '.join(parts) or 'none'}{known}"


def _about(found: VerdictChange | UnsearchedGap) -> str:
    variant = found.variant
    patches = [f"with {variant.patches}"] if variant.patches else []
    return ", ".join([found.subject, *patches, variant.events])


def _matrix(matrix: SweepMatrix, width: int) -> Iterator[Line]:
    headings = [matrix.heading(variant) for variant in matrix.columns]
    indent = min(max(map(len, headings), default=0) + 4, max(0, width - _LEAST))
    for name, cells in matrix.rows:
        yield Line(name)
        for heading, job in zip(headings, cells, strict=True):
            if job is not None:
                text = textwrap.wrap(_told(job), max(width - indent, _LEAST)) or [""]
                first = f"  {heading:{indent - 2}}{text[0]}"
                yield Line(first, _STYLES.get(job.outcome, "yellow"))
                yield from (
                    Line(f"{'':{indent}}{more}") for more in itertools.islice(text, 1, None)
                )


def _told(job: SweptJob) -> str:
    """Return how a job ended, with what there is to say about it."""
    return f"{cell_text(job)}: {job.message}" if job.message else cell_text(job)


def _wrapped(texts: Iterable[str], width: int) -> list[Line]:
    return [
        Line(line)
        for text in texts
        for line in textwrap.wrap(text, width, subsequent_indent="  ", break_on_hyphens=False)
    ]
