"""Tests of iopermit.report.sweep.plot: the drawing says what the matrices say."""

import json
import xml.etree.ElementTree as ET

from tests.support.sweep.made_reports import REPORT

from iopermit.report.sweep.facts import SweepReport, cell_text
from iopermit.report.sweep.plot import described, sweep_plot


def test_every_cell_is_drawn() -> None:
    """The text of each cell, each row's name and the title are in the drawing, as text."""
    texts = [each.text for each in ET.fromstring(sweep_plot(REPORT)).iter() if each.text]  # noqa: S314 - our own
    for job in REPORT.jobs:
        assert cell_text(job) in texts
        assert job.row in texts
    assert REPORT.title in texts


def test_the_drawing_is_always_the_same() -> None:
    """The same report makes the same text, with what the cells say as JSON in it."""
    assert sweep_plot(REPORT) == sweep_plot(REPORT)
    said = json.loads(described(REPORT))
    assert said["Designs"]["one"] == ["holds, 1,234 states", "LEAK"]
    assert said["v1..v2"]["000000000000 Change 0"] == ["holds, 1,234 states", "not run"]
    assert said["v1..v2"]["333333333333 Change 3"] == ["LEAK", ""]


def test_a_sweep_of_nothing_is_a_drawing_of_nothing() -> None:
    """A report without jobs is drawn, too."""
    assert ET.fromstring(sweep_plot(SweepReport("", ()))).tag.endswith("svg")  # noqa: S314 - as above
