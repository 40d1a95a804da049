"""Tests of iopermit.report.html.columns: which ports are alike in every state."""

from __future__ import annotations

from tests.support.report.schedules import review_story

from iopermit.report.grants import mask
from iopermit.report.html.columns import by_column, port_columns


def test_columns_part_the_ports_where_some_state_does() -> None:
    """Columns cover all ports, and no range of the schedule begins or ends inside one."""
    verdict = review_story()
    assert verdict.trace is not None
    assert verdict.violation is not None
    columns = port_columns(verdict.trace, verdict.violation)
    assert [column.label for column in columns] == ["0-127", "128", "129-191", "192-65535"]


def test_ports_of_a_mask_are_told_by_column() -> None:
    """A column belongs to a mask if its ports do."""
    verdict = review_story()
    columns = port_columns(verdict.trace or (), verdict.violation)
    assert by_column(columns, mask(((128, 128), (192, 65535)))) == (False, True, False, True)
