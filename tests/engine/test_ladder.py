"""Tests of the ladders of scenarios."""

import itertools

from iopermit.engine.ladder import (
    COMPARISON_LADDER,
    DESIGN_LADDER,
    FULL_COMPARISON_LADDER,
    design_scenarios,
)
from iopermit.system.events import Event, all_events
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

    The levels of iopl that open no port, and CPUs that go down, are searched in the one before, and
    left out there.
    """
    *_, before, last = design_scenarios()
    left_out = {Event.IOPL_LEVELS, Event.CPU_OFFLINE}
    assert last == Scenario(events=all_events() - left_out)
    assert before == Scenario(2, 2, 2)
    assert all(scenario.cpus == 1 for scenario in design_scenarios(every=True))
    assert DESIGN_LADDER[-1] == (last.cpus, last.tasks, last.longs)
