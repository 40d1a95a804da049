"""Tests of the ladders of scenarios."""

import itertools

from iopermit.engine.ladder import (
    COMPARISON_LADDER,
    COSTLY_EVENTS,
    DESIGN_LADDER,
    FULL_COMPARISON_LADDER,
    design_scenarios,
)
from iopermit.system.events import Event, all_events
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario


def test_ladders_grow_to_the_default_scenario() -> None:
    """Scenarios are ordered by what they contain; the last one is the default."""
    default = Scenario()
    assert FULL_COMPARISON_LADDER[: len(COMPARISON_LADDER)] == COMPARISON_LADDER
    assert FULL_COMPARISON_LADDER[-1] == (default.cpus, default.tasks, default.longs)
    for earlier, later in itertools.pairwise(FULL_COMPARISON_LADDER):
        assert not all(a >= b for a, b in zip(earlier, later, strict=True))


def test_a_check_ends_with_the_default_scenario() -> None:
    """Where no scenario is asked for the last one has the default bounds; with --all it has not.

    What multiplies its states without showing more is searched in those before, and left out there.
    """
    *_, before, last = design_scenarios()
    assert last == Scenario(events=all_events() - COSTLY_EVENTS)
    assert last.events == ALL_EVENTS | {Event.READ_MAP}
    assert before == Scenario(2, 2, 2)
    assert before.events > COSTLY_EVENTS
    assert all(scenario.cpus == 1 for scenario in design_scenarios(every=True))
    assert DESIGN_LADDER[-1] == (last.cpus, last.tasks, last.longs)
