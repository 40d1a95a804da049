"""Tests of iopermit.report.words: the words that all forms of the report share."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.report.verdicts import HOLDS, LEAK_OF_A_TREE, patched

import iopermit
from iopermit.engine.verdict import FaultOrigin, Verdict
from iopermit.report.words import bounds, count, events, headline, place, without_patches
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


@pytest.mark.parametrize(
    ("verdict", "origin", "part"),
    [
        (LEAK_OF_A_TREE, FaultOrigin.INTRODUCED, "in linux, introduced by this patch: task B"),
        (LEAK_OF_A_TREE, FaultOrigin.ALREADY_THERE, ", already there without this patch: task B"),
        (LEAK_OF_A_TREE, FaultOrigin.DIFFERENT, ", another fault than without this patch: task B"),
        (LEAK_OF_A_TREE, FaultOrigin.OPEN, "port leak in linux: task B"),
        (HOLDS, FaultOrigin.REPAIRED, ", repaired by this patch"),
        (HOLDS, FaultOrigin.NO_FAULT, ", and without this patch"),
    ],
)
def test_a_headline_says_whose_the_fault_is(
    verdict: Verdict, origin: FaultOrigin, part: str
) -> None:
    """Every origin has its words, and an open one none."""
    assert part in headline(patched(verdict, origin))


def test_patches_that_are_taken_back_have_other_words() -> None:
    """With --reverse the tree as it stands has the patches."""
    kernel = patched(LEAK_OF_A_TREE, FaultOrigin.INTRODUCED).kernel
    assert kernel is not None
    back = replace(kernel, reverse=True, patches=("/1.patch", "/2.patch"))
    text = headline(replace(LEAK_OF_A_TREE, kernel=back))
    assert ", introduced by taking these patches back: " in text


def test_what_was_compared_is_said() -> None:
    """The nearest faults alone say less than all of them, unless there is none without patches."""
    texts = []
    for origin, only_new in (
        (FaultOrigin.ALREADY_THERE, False),
        (FaultOrigin.ALREADY_THERE, True),
        (FaultOrigin.INTRODUCED, False),
    ):
        kernel = patched(LEAK_OF_A_TREE, origin, only_new=only_new).kernel
        assert kernel is not None
        texts.append(without_patches(kernel))
    assert texts[0].startswith("port leak: task B may use ports 0-63 (the nearest faults were ")
    assert texts[1:] == ["port leak: task B may use ports 0-63", "holds"]
