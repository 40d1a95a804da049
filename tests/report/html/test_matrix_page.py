"""Tests of iopermit.report.html.matrix_page: cells lead to what was searched."""

from __future__ import annotations

import re

from iopermit.engine.comparison import Cell, Rung
from iopermit.report.compare import cell_text
from iopermit.report.html.matrix_page import matrix_page
from iopermit.report.html.rendering import matrix_html

SMALL, LARGE = (1, 2, 1), (2, 2, 2)
LEAK = Rung(LARGE, "violated", 9, ("leak",), "task B may use <ports>", needs_privilege=False)
LIMIT = Rung(LARGE, "undetermined", 5, message="the limit of 5 states was reached")
MATRIX = {
    "linux-5.5 --option no_refcnt_reset": {
        "plain-without-preempt": Cell((Rung(SMALL, "holds", 1234), LEAK), LARGE),
        "all": Cell((LIMIT,), LARGE),
    },
    "my own": {"plain-without-preempt": Cell((LEAK,), LARGE), "all": Cell((), LARGE)},
}


def test_cells_have_the_text_of_the_terminal() -> None:
    """A cell says what the text says, and has every scenario that was searched."""
    page = matrix_page(MATRIX)
    assert page.events == ("plain, without preempt", "all")
    for row, cells in zip(page.rows, MATRIX.values(), strict=True):
        assert [each.text for each in row] == [cell_text(each) for each in cells.values()]
    first = page.rows[0][0]
    assert [(each.outcome, each.states) for each in first.scenarios] == [
        ("holds", 1234),
        ("violated", 9),
    ]


def test_a_violation_has_the_command_that_shows_it() -> None:
    """Behind a violated cell of a known design stands what writes the page of its schedule."""
    page = matrix_page(MATRIX)
    assert page.rows[0][0].command == (
        "iopermit check linux-5.5 --option no_refcnt_reset --events plain --without preempt "
        "--cpus 2 --tasks 2 --longs 2 --html linux-5.5.html"
    )
    assert page.rows[0][1].command == ""
    assert page.rows[1][0].command == ""


def test_each_cell_leads_to_its_own_part() -> None:
    """Links and parts of the page belong together, one to one."""
    text = matrix_html(matrix_page(MATRIX))
    links = re.findall(r'href="#(cell-[^"]+)"', text)
    assert sorted(links) == sorted(re.findall(r'id="(cell-[^"]+)"', text))
    assert len(set(links)) == 4
    assert "task B may use &lt;ports&gt;" in text
    assert "not searched" in text
