"""Tests of iopermit.report.words: the words that all forms of the report share."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.report.verdicts import HOLDS

import iopermit
from iopermit.report.words import bounds, count, events, headline, place
from iopermit.system.events import Event, all_events, plain_events
from iopermit.system.scenario import Scenario
from iopermit.system.site import Site


@pytest.mark.parametrize(
    ("some", "text"),
    [
        (all_events(), "all events"),
        (plain_events(), "plain events"),
        (all_events() - {Event.VM_EXIT}, "all events but vm-exit"),
        (plain_events() - {Event.EXIT, Event.FORK}, "plain events but fork, exit"),
        ({Event.IOPERM, Event.PREEMPT}, "the events ioperm, preempt"),
    ],
)
def test_events_are_named_as_shortly_as_possible(some: frozenset[Event], text: str) -> None:
    """A set of events is named by its group, by what it lacks, or by its members."""
    assert events(Scenario(events=frozenset(some))) == text


def test_bounds_use_the_singular_for_one() -> None:
    """One CPU is a CPU, two are CPUs."""
    assert bounds(Scenario(1, 2, 1)) == "1 CPU, 2 tasks, 1 long"


def test_unprivileged_scenario_says_so() -> None:
    """A scenario with an unprivileged task is told apart."""
    assert bounds(Scenario(unprivileged=True)).endswith(", the first task unprivileged")


def test_thousands_are_separated() -> None:
    """Large numbers are readable."""
    assert count(3512, "state") == "3,512 states"


def test_options_are_part_of_the_subject() -> None:
    """The headline names the switches that were set, as they are written on the command line."""
    text = headline(replace(HOLDS, subject="linux-5.5", options=("no_refcnt_reset",)))
    assert text.startswith("HOLDS: linux-5.5 --option no_refcnt_reset under all events")


def test_place_in_the_package_starts_at_its_folder() -> None:
    """A listed design's file is named from the package's folder on."""
    file = Path(iopermit.__file__).parent / "designs" / "linux" / "v2_06.py"
    assert place(Site(str(file), 61, 0, "", "")) == "designs/linux/v2_06.py:61"


def test_place_elsewhere_can_be_opened() -> None:
    """A user's file is named as the user named it."""
    assert place(Site("my_design.py", 3, 0, "", "")) == "my_design.py:3"
