"""Costs as text, tables, JSON and chart."""

import html
from xml.etree import ElementTree as ET

from iopermit.designs import designs
from iopermit.report.cost import comparison_table, cost_json, cost_text, design_table, markdown
from iopermit.report.cost_plot import described, figures, plot
from iopermit.system.running.cost import COLUMNS, PATHS, costs_of

COSTS = {name: costs_of(designs()[name]) for name in ("linux-v2-06", "linux-060aa16f")}


def test_the_table_has_a_row_for_each_path() -> None:
    """Four figures for each of the three columns, as wide as the heading."""
    table = design_table(COSTS["linux-v2-06"])
    assert [row[0] for row in table[1:]] == list(PATHS)
    assert {len(row) for row in table} == {1 + 4 * len(COLUMNS)}
    first = next(row for row in table if row[0] == "ioperm first")
    assert first[5:9] == ["26", "8224", "1", "0"]


def test_the_text_has_side_by_side_tables_for_several_designs() -> None:
    """One design has no comparison; two have one for each port."""
    assert "bytes of the TSS written" not in cost_text({"x": COSTS["linux-v2-06"]}).splitlines()[0]
    assert cost_text(COSTS).count("bytes of the TSS written  ") == 2
    row = comparison_table(COSTS, "port 0x80")[1]
    assert row[:2] == ["linux-v2-06", "26"]


def test_json_tells_crashes_from_figures() -> None:
    """A cell is an object of figures, or a word."""
    saved = cost_json(COSTS)
    assert saved["schema"] == "iopermit/cost/1"
    good, bad = (entry["columns"]["port 0x80"]["switch-in"] for entry in saved["designs"])
    assert good == {
        "tss_written": 26,
        "map_written": 24,
        "map_read": 24,
        "base_stores": 1,
        "task_register_loads": 0,
    }
    assert bad == "crash"


def test_markdown_tables_are_rectangular() -> None:
    """Every line has as many bars as the heading."""
    lines = markdown(design_table(COSTS["linux-060aa16f"])).splitlines()
    assert len({line.count("|") for line in lines}) == 1


def test_the_chart_is_always_the_same() -> None:
    """Two drawings of the same costs are equal text, well-formed, and have no date."""
    first = plot(COSTS)
    assert first == plot(COSTS)
    ET.fromstring(first)  # noqa: S314 - our own text
    assert "<dc:date>" not in first
    assert html.escape(described(COSTS), quote=False) in first


def test_the_bars_add_up_paths() -> None:
    """A switch to the other map user costs what its parts cost; a crash has no bar."""
    series = figures(COSTS)["port 65535"]["switch to the other map user, and use"]
    assert series == [8194, None]
