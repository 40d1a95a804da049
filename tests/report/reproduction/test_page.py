"""The page about a booted kernel is the page of `check`, with a column of what was seen."""

from __future__ import annotations

import html
from dataclasses import replace

from tests.support.reproduce.reproductions import reproduction

from iopermit.report.html.rendering import verdict_html
from iopermit.report.html.verdict_page import verdict_page
from iopermit.report.reproduction.page import reproduction_page
from iopermit.report.reproduction.told import SEEN, facts_of


def test_the_page_has_a_column_more() -> None:
    """Each step has what was seen behind it; the head of the column is that of the text."""
    (schedule,) = reproduction_page(reproduction()).schedules
    assert schedule.seen == SEEN
    first, held, *others = (step.seen for step in schedule.steps)
    assert first == ""
    assert held == "A at task_update_io_bitmap+0x31 (held 281 times): base 0x78, ports open"
    assert all(others)
    text = html.unescape(verdict_html(reproduction_page(reproduction())))
    assert text.count(f'<th scope="col">{SEEN}</th>') == 1
    assert f"<td>{held}</td>" in text


def test_the_page_has_the_outcome_and_every_fact() -> None:
    """What the text says of runs, controls and kernel stands on the page, too."""
    found = reproduction()
    page = reproduction_page(found)
    assert page.booted is not None
    assert page.booted.outcome == "REPRODUCED on a booted kernel"
    assert [(fact.name, fact.text) for fact in page.booted.facts] == list(facts_of(found))
    text = html.unescape(verdict_html(page))
    assert "<h2>What was seen on the booted kernel</h2>" in text
    assert all(about in text for _, about in facts_of(found))


def test_the_usual_page_says_nothing_of_it() -> None:
    """Without a booted kernel there is no column; with one that did not boot only the outcome."""
    found = reproduction()
    text = verdict_html(verdict_page(found.verdict))
    assert "booted kernel" not in text
    nothing = replace(found, outcome="undetermined", reason="why", runs=(), kernel=None)
    text = verdict_html(reproduction_page(nothing))
    assert f'<th scope="col">{SEEN}</th>' not in text
    assert "UNDETERMINED on a booted kernel: why" in text
