"""Tests of iopermit.search.combination: one verdict from those about several scenarios."""

from __future__ import annotations

from dataclasses import replace

from tests.support.report.verdicts import CRASH, GARBAGE, HOLDS, UNDETERMINED

from iopermit.engine.ending import Interrupted, TooFewLongs
from iopermit.search.combination import different, with_smaller
from iopermit.system.scenario import Scenario

SMALL, MIDDLE, LARGE = Scenario(1, 1, 1), Scenario(1, 2, 1), Scenario(1, 2, 2)
CUT = replace(UNDETERMINED, scenario=LARGE, reason="interrupted", ending=Interrupted())


def test_a_limit_names_the_largest_scenario_that_holds() -> None:
    """What was exhausted before a limit is told with it; a verdict without limit stays as it is."""
    smaller = [replace(HOLDS, scenario=scenario) for scenario in (SMALL, MIDDLE)]
    reason = "interrupted; exhausted without a violation: 1 CPU, 2 tasks, 1 long"
    assert with_smaller([*smaller, CUT]) == replace(CUT, reason=reason)
    assert with_smaller([CUT]) is CUT
    assert with_smaller([*smaller, CRASH]) is CRASH


def test_each_different_violation_is_there_once() -> None:
    """Violations of one kind, for which one statement is to blame, are one: the first found."""
    again = replace(CRASH, scenario=LARGE, also=(replace(GARBAGE, scenario=LARGE),))
    found = different([CRASH, again])
    assert found.violation == CRASH.violation
    assert found.scenario == CRASH.scenario
    assert [also.violation for also in found.also] == [GARBAGE.violation]
    assert (found.reason, found.ending) == ("", None)


def test_a_limit_leaves_further_violations_open() -> None:
    """The first search that ended early is told with its scenario."""
    found = different([CRASH, CUT])
    assert (found.verdict, found.ending) == ("violated", Interrupted())
    assert found.reason == "interrupted (1 CPU, 2 tasks, 2 longs)"


def test_more_longs_settle_what_too_few_left_open() -> None:
    """What needs more longs is open only if no scenario had as many."""
    ending = TooFewLongs(SMALL.size, 2)
    coarse = replace(UNDETERMINED, scenario=SMALL, reason=ending.reason, ending=ending)
    assert different([coarse, replace(CRASH, scenario=MIDDLE)]).ending == ending
    assert different([coarse, replace(CRASH, scenario=LARGE)]).ending is None


def test_without_any_violation_the_last_verdict_counts() -> None:
    """If no scenario shows a violation, the largest says what is known."""
    assert different([replace(HOLDS, scenario=SMALL), CUT]) is CUT
