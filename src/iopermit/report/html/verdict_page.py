"""Makes the page about a verdict: of a design or a kernel tree, violated or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from iopermit.report import text as report
from iopermit.report import words
from iopermit.report.html.model import Fact, VerdictPage
from iopermit.report.html.schedule import schedule_of
from iopermit.report.html.source import text_on_disk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iopermit.engine.verdict import Verdict
    from iopermit.report.html.source import SourceText


MEANINGS: Final = {
    "holds": (
        "Every state that can be reached in this scenario was visited, and none violates. "
        "That is said of the scenario, not of a kernel."
    ),
    "undetermined": (
        "No violation was found, but the search did not come to its end: nothing is said about "
        "the states that it did not visit."
    ),
}
"""What a verdict without a violation says."""


def verdict_page(verdict: Verdict, text: SourceText = text_on_disk) -> VerdictPage:
    """Return what the page about a verdict shows.

    Args:
        verdict: the verdict, with the further violations that were found.
        text: reads the source files that the schedules go through.
    """
    every = (verdict, *verdict.also)
    found = (
        schedule_of(number, one, one.violation, text)
        for number, one in enumerate(every, 1)
        if one.violation is not None
    )
    headlines = [words.headline(one) for one in every]
    warnings = (words.warning(verdict), words.what_is_open(verdict), *headlines[1:])
    return VerdictPage(
        words.subject(verdict),
        verdict.verdict,
        headlines[0].removeprefix(f"{verdict.verdict.upper()}: "),
        MEANINGS.get(verdict.verdict, ""),
        tuple(filter(None, warnings)),
        tuple(Fact(label, about) for label, about in _facts(verdict)),
        tuple(f"{words.place(one)}  {one.text.strip()}" for one in verdict.uncovered.statements),
        tuple(one for one in found if one is not None),
    )


def _facts(verdict: Verdict) -> Iterator[tuple[str, str]]:
    violation = verdict.violation
    if violation is not None:
        if violation.site is not None:
            label = "kernel source" if verdict.kernel is not None else "design source"
            yield label, f"{words.place(violation.site)}  {violation.site.text.strip()}"
        yield "confirmed", report.confirmed(verdict)
        if violation.needs_privilege is not None:
            yield "privilege", report.privilege(needed=violation.needs_privilege)
    yield from report.facts(verdict)
