"""Tests which fields of shared objects are assumed not to be written."""

import pytest

from iopermit.designs import find
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.assumptions import assumptions
from iopermit.translate.model.nodes import Field
from iopermit.translate.translation import translate


@pytest.mark.parametrize(
    ("name", "assumed"),
    [
        ("linux-2.6.8", {"in_use", "bitmap"}),
        ("linux-6.16", {"in_use", "sequence", "max", "bitmap"}),
    ],
)
def test_reference_counts_are_not_assumed(name: str, assumed: set[str]) -> None:
    """Every field of a heap object is assumed but its count of references."""
    model = translate(find(name), Scenario(1, 1, 1, ALL_EVENTS))
    assert {field.name for field in assumptions(model) if isinstance(field, Field)} == assumed
