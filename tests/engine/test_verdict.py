"""Tests of the results with which a search ends."""

from dataclasses import replace

from tests.support.report.verdicts import UNDETERMINED

from iopermit.engine.ending import Interrupted, TooFewLongs
from iopermit.engine.verdict import SearchStatistics
from iopermit.report.json import verdict_json


def test_saved_figures_are_read_back() -> None:
    """A replay has the figures of the search that found the violation, and is confirmed."""
    saved = verdict_json(UNDETERMINED)["search"]
    figures = SearchStatistics.of_saved(saved)
    expected = replace(UNDETERMINED.search, confirmed_full_size=True)
    assert figures == expected


def test_more_longs_are_needed_only_where_too_few_ended_it() -> None:
    """A verdict tells with how many longs to search again, if that is what leaves it open."""
    assert replace(UNDETERMINED, ending=TooFewLongs("1 CPU", 2)).longs_needed == 2
    assert replace(UNDETERMINED, ending=Interrupted()).longs_needed == 0
