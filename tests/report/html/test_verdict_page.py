"""Tests of iopermit.report.html.verdict_page: what the page about a verdict says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.support.report.schedules import review_story, texts
from tests.support.report.verdicts import CRASH, HOLDS, LEAK_OF_A_TREE, UNDETERMINED

from iopermit.report.html.verdict_page import verdict_page
from iopermit.report.text import report


def test_a_violation_has_a_headline_and_a_schedule() -> None:
    """The page of a leak has the headline of the text, and one schedule."""
    page = verdict_page(review_story())
    assert page.headline.startswith("BUG: port leak in linux-v2-06")
    assert (page.outcome, page.meaning) == ("violated", "")
    assert [schedule.number for schedule in page.schedules] == [1]


def test_further_violations_have_schedules_and_headlines_too() -> None:
    """With `--all` each violation that has steps has its schedule; the others are told."""
    page = verdict_page(replace(review_story(), also=(CRASH, review_story())))
    assert [schedule.number for schedule in page.schedules] == [1, 3]
    assert [warning.partition(" in ")[0] for warning in page.warnings] == [
        "BUG: kernel crash",
        "BUG: port leak",
    ]


@pytest.mark.parametrize(("verdict", "part"), [(HOLDS, "not of a kernel"), (UNDETERMINED, "end")])
def test_a_verdict_without_violation_says_what_it_means(verdict: object, part: str) -> None:
    """A page about a design that holds, or may hold, says what that is said of."""
    page = verdict_page(verdict)  # type: ignore[arg-type]  # a Verdict
    assert part in page.meaning
    assert page.schedules == ()
    assert page.not_executed == ("/designs/own.py:7  cpu.tss.io_map_base = IoMapBase.VALID",)


@pytest.mark.parametrize("verdict", [review_story(), HOLDS, UNDETERMINED, LEAK_OF_A_TREE])
def test_a_page_leaves_nothing_out_that_the_text_says(verdict: object) -> None:
    """Every fact of the report in the terminal is a fact of the page."""
    page = verdict_page(verdict)  # type: ignore[arg-type]  # a Verdict
    text = " ".join(texts(report(verdict)).split())  # type: ignore[arg-type]  # as above
    for fact in page.facts:
        assert f"{fact.name}: {fact.text}".replace("  ", " ") in text
    labels = {fact.name for fact in page.facts}
    assert {"search"} <= labels
    if verdict is LEAK_OF_A_TREE:
        assert {"tree", "kernel source", "scenario", "confirmed"} <= labels


def test_a_fault_of_single_calls_has_facts_and_no_steps() -> None:
    """A violation without a schedule still has its headline and its source on the page."""
    page = verdict_page(CRASH)
    assert page.schedules == ()
    assert "null pointer dereference" in page.headline
