"""Tests of iopermit.report.html.sweep_page: cells lead to jobs, and text is text."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.support.report.browser import opened
from tests.support.sweep.made_reports import COMMAND, REPORT

from iopermit.report.html.rendering import sweep_html
from iopermit.report.html.sweep_page import sweep_page

PAGE = sweep_page(REPORT)


def test_there_is_a_matrix_for_designs_trees_and_each_row_of_revisions() -> None:
    """Matrices have the names of what they are about, and a column for each variant."""
    assert [(each.name, each.columns) for each in PAGE.matrices] == [
        ("Designs", ("plain", "all")),
        ("Kernel trees", ("as it is, ioperm", "with the fix, ioperm")),
        ("v1..v2", ("as it is, ioperm", "with the fix, ioperm")),
    ]


def test_every_cell_leads_to_its_job() -> None:
    """Each link in a matrix has a section with what is behind the cell, and each section a link."""
    text = sweep_html(PAGE)
    links = re.findall(r'href="#(cell-[^"]+)"', text)
    assert links == re.findall(r'<section id="(cell-[^"]+)"', text)
    assert len(links) == len(REPORT.jobs)
    assert text.count(COMMAND) == len(REPORT.jobs)


def test_a_place_without_a_job_is_empty() -> None:
    """Where a revision has no job for a column, the cell has neither text nor link."""
    (_, cell) = PAGE.matrices[2].rows[2]
    assert (cell.text, cell.job) == ("", None)


def test_outcomes_without_a_verdict_look_undetermined() -> None:
    """Failed jobs and jobs that were not run never look as if they held."""
    cells = [cell for part in PAGE.matrices for row in part.rows for cell in row if cell.job]
    for cell in cells:
        assert cell.job is not None
        wanted = cell.job.outcome if cell.job.verdict else "undetermined"
        assert cell.outcome == wanted


def test_changes_are_told_and_text_is_escaped() -> None:
    """Which commit changes a verdict stands above the matrices; no message becomes markup."""
    text = sweep_html(PAGE)
    assert "introduced by 333333333333" in text
    assert "not judged: 1 revision" in text
    assert "port &lt;1&gt;" in text
    assert "port <1>" not in text


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everybody_can_read_the_page(colours: str, chromium: Browser, tmp_path: Path) -> None:
    """In a browser the page loads nothing and complains of nothing, and axe finds no fault."""
    file = tmp_path / "page.html"
    file.write_text(sweep_html(PAGE), encoding="utf-8")
    with opened(chromium, file, color_scheme=colours) as shown:
        assert shown.page.title() == REPORT.title
        assert shown.complaints == shown.requests == []
        assert shown.faults() == []
