"""Tests of iopermit.report.html.geometry: columns fit their labels and touch each other."""

from __future__ import annotations

import itertools

import pytest
from tests.support.report.schedules import review_story

from iopermit.report.html.geometry import lane_geometry, map_geometry
from iopermit.report.html.model import PortColumn
from iopermit.report.html.schedule import schedule_of
from iopermit.report.html.source import text_on_disk


@pytest.mark.parametrize("count", [1, 2, 40])
def test_columns_of_a_map_touch_and_end_where_it_ends(count: int) -> None:
    """Columns follow each other without gaps, from the header of the TSS to the end of the map."""
    edges = [round(65536 * n / count) for n in range(count + 1)]
    columns = [PortColumn(first, end - 1) for first, end in itertools.pairwise(edges)]
    place = map_geometry(columns)
    assert place.boxes[0].x == place.header.x + place.header.width
    assert all(one.x + one.width == two.x for one, two in itertools.pairwise(place.boxes))
    assert place.boxes[-1].x + place.boxes[-1].width == place.end < place.width
    assert all(box.width > 6 * len(box.label) for box in place.boxes)


def test_a_step_is_as_wide_as_its_words() -> None:
    """Lanes have a column for each step, which holds what the CPU does then."""
    verdict = review_story()
    assert verdict.violation is not None
    schedule = schedule_of(1, verdict, verdict.violation, text_on_disk)
    assert schedule is not None
    place = lane_geometry(schedule)
    assert [box.label for box in place.boxes] == ["1", "2", "3", "4"]
    for step, box in zip(schedule.steps, place.boxes, strict=True):
        assert all(box.width > 6 * len(cell.text) for cell in step.lanes)
    assert place.boxes[-1].x + place.boxes[-1].width <= place.width
