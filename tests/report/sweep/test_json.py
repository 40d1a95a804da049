"""Tests of iopermit.report.sweep.json: the schema is kept, and nothing is lost."""

import pytest
from tests.support.report.strict import problems
from tests.support.sweep.made_reports import REPORT

from iopermit.report.sweep.json import sweep_from_json, sweep_json


def test_a_report_keeps_to_its_schema() -> None:
    """Jobs, changes and gaps have the members that are documented, and no others."""
    assert problems(sweep_json(REPORT), "sweep") == []


def test_a_report_comes_back_as_it_was() -> None:
    """What is read from JSON is what was written."""
    assert sweep_from_json(sweep_json(REPORT)) == REPORT


def test_another_schema_is_refused() -> None:
    """JSON of another kind is not taken for a sweep."""
    with pytest.raises(ValueError, match="iopermit/sweep/1"):
        sweep_from_json({"schema": "iopermit/compare/1"})
