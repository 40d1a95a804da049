"""Tests of iopermit.report.html.cost_page: a bar for each design, or tree, on each path."""

from __future__ import annotations

from iopermit.designs import designs
from iopermit.kernel.cost import KernelCost
from iopermit.report.cost import design_table
from iopermit.report.html.cost_page import LONGEST_BAR, CostPage, cost_page, tree_cost_page
from iopermit.report.html.rendering import cost_html
from iopermit.system.running.cost import COLUMNS, PATHS, costs_of

NAMES = ("linux-v2-06", "linux-060aa16f", "linux-2.6.8")
COSTS = {name: costs_of(designs()[name]) for name in NAMES}


def bars(page: CostPage, heading: str, path: str) -> dict[str, tuple[str, int]]:
    """Return text and length of the bars of a chart, by subject."""
    (charts,) = [each.charts for each in page.ports if each.name == heading]
    (chart,) = [each for each in charts if each.path == path]
    return {bar.subject: (bar.text, bar.length) for bar in chart.bars}


def test_bars_have_the_figures_of_the_table() -> None:
    """The number behind a bar is that of the table, and the longest bar is the largest number."""
    page = cost_page(COSTS)
    found = bars(page, "Two tasks opened port 0x80", "switch-in")
    assert found["linux-v2-06"][0] == "26"
    assert found["linux-060aa16f"] == ("crash", 0)
    lengths = [b.length for each in page.ports for c in each.charts for b in c.bars]
    assert max(lengths) == LONGEST_BAR
    assert found["linux-2.6.8"][1] > found["linux-v2-06"][1] > 0


def test_every_figure_is_in_a_table() -> None:
    """Under the bars each design has its table, as in the terminal."""
    assert dict(cost_page(COSTS).tables) == {n: design_table(each) for n, each in COSTS.items()}


def test_a_path_that_nobody_has_has_no_chart() -> None:
    """Without a task that uses ioperm(), there is no chart of its first call."""
    (nobody,) = [each for each in cost_page(COSTS).ports if each.name == "Nobody uses ioperm()"]
    assert "ioperm first" not in {chart.path for chart in nobody.charts}
    assert "fork" in {chart.path for chart in nobody.charts}


def test_what_is_the_same_for_all_is_said_once() -> None:
    """Bars that are all alike are one sentence, and no drawing."""
    page = cost_page({"one": COSTS["linux-2.6.8"], "two": COSTS["linux-2.6.8"]})
    assert all(chart.the_same for each in page.ports for chart in each.charts)
    assert "<svg" not in cost_html(page)


def test_trees_are_counted_in_instructions() -> None:
    """The page about trees draws instructions, and shows what the text shows of the rest."""
    cells = {path: KernelCost(instructions=120, map_written=24) for path in PATHS}
    page = tree_cost_page({"<tree>": {column: dict(cells) for column in COLUMNS}})
    assert bars(page, "Two tasks opened port 0x80", "fork") == {"<tree>": ("120", LONGEST_BAR)}
    text = cost_html(page)
    assert "instructions executed" in text
    assert "&lt;tree&gt;" in text
