"""What was seen on a booted kernel, on the page of `check`: a column more, and its facts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from iopermit.report.html.model import BootedFacts, Fact
from iopermit.report.html.source import text_on_disk
from iopermit.report.html.verdict_page import verdict_page
from iopermit.report.reproduction.told import SEEN, facts_of, outcome, seen_behind

if TYPE_CHECKING:
    from iopermit.report.html.model import DrawnSchedule, VerdictPage
    from iopermit.report.html.source import SourceText
    from iopermit.report.reproduction.facts import Reproduction


def reproduction_page(found: Reproduction, text: SourceText = text_on_disk) -> VerdictPage:
    """Return what the page about a counterexample and a booted kernel shows.

    Args:
        found: the counterexample, and what was seen of it.
        text: reads the source files that the schedules go through.
    """
    page = verdict_page(found.verdict, text)
    facts = tuple(Fact(label, about) for label, about in facts_of(found))
    seen = seen_behind(found)
    return replace(
        page,
        booted=BootedFacts(outcome(found), facts),
        # The first is the one that was forced.
        schedules=tuple(
            _with_column(one, seen) if number == 0 else one
            for number, one in enumerate(page.schedules)
        ),
    )


def _with_column(schedule: DrawnSchedule, seen: dict[int, str]) -> DrawnSchedule:
    if not seen:
        return schedule
    steps = tuple(replace(step, seen=seen.get(step.number, "")) for step in schedule.steps)
    return replace(schedule, steps=steps, seen=SEEN)
