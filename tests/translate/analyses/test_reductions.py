"""Tests that every reduction is one object with its analysis, its code and its argument."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from iopermit.designs import find
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario
from iopermit.translate.analyses.reductions import (
    COUNTERS,
    HIDDEN_MAPS,
    LATE_ARGUMENTS,
    MERGING,
    NO_REDUCTIONS,
    REDUCTIONS,
    SYMMETRY,
    Reduction,
    Reductions,
    analyse,
)
from iopermit.translate.native.emission import REPRESENTATIVE, TRANSITIONS
from iopermit.translate.translation import translate

ROOT = Path(__file__).parents[3]
ARGUMENT = (ROOT / "docs" / "how-it-checks.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^### ([^(\n]+) \((.*)\)$", re.MULTILINE)
"""A section: what it is about, and in parentheses the flag and the files."""


def heading(section: str) -> str:
    """Return what stands in parentheses in the heading of a section, or nothing."""
    return {m[1]: m[2] for m in HEADING.finditer(ARGUMENT)}.get(section, "")


def test_every_reduction_can_be_switched() -> None:
    """The switches are those of the reductions, and no others."""
    assert [field.name for field in fields(Reductions)] == [each.name for each in REDUCTIONS]
    assert not any(NO_REDUCTIONS.has(each) for each in REDUCTIONS)
    assert all(Reductions().has(each) for each in REDUCTIONS)


@pytest.mark.parametrize("reduction", REDUCTIONS, ids=lambda each: each.name)
def test_every_reduction_has_its_argument(reduction: Reduction) -> None:
    """Each has a section in docs/how-it-checks.md, whose heading names its flag."""
    assert f"`{reduction.flag}`" in heading(reduction.section)


def test_every_section_with_a_flag_is_of_a_reduction() -> None:
    """No section argues for a reduction that is gone."""
    sections = {title for title, about in HEADING.findall(ARGUMENT) if "--no-" in about}
    assert sections == {each.section for each in REDUCTIONS}


def test_the_argument_names_files_that_exist() -> None:
    """Every file of the translation that a heading of the argument names is there."""
    named = re.findall(r"`(translate/[^`]*\.py)`", ARGUMENT)
    assert named
    assert [file for file in named if not (ROOT / "src/iopermit" / file).is_file()] == []


def test_every_reduction_emits_code() -> None:
    """Each makes a part of the representative or of the transitions."""
    assert {*REPRESENTATIVE, *TRANSITIONS} == set(REDUCTIONS)


def test_only_what_is_on_is_analysed() -> None:
    """A reduction that is off finds nothing out."""
    model = translate(find("linux-5.4"), Scenario(1, 2, 2, ALL_EVENTS))
    assert set(analyse(model, Reductions())) == set(REDUCTIONS)
    assert set(analyse(model, NO_REDUCTIONS.with_(SYMMETRY))) == {SYMMETRY}


def test_hidden_maps_take_merging() -> None:
    """Between the writing of a map and the storing of its base the map matters."""
    model = translate(find("linux-5.4"), Scenario(1, 2, 2, ALL_EVENTS))
    assert HIDDEN_MAPS not in analyse(model, Reductions().without(MERGING))


def test_numbered_maps_are_hidden_only_with_renaming() -> None:
    """In a design with sequence numbers every number would be a map of its own."""
    model = translate(find("linux-6.16"), Scenario(1, 2, 2, ALL_EVENTS))
    assert HIDDEN_MAPS in analyse(model, Reductions())
    assert HIDDEN_MAPS not in analyse(model, Reductions().without(COUNTERS))


def test_with_one_range_no_argument_is_late() -> None:
    """With a single long there is nothing to choose later."""
    model = translate(find("linux-5.4"), Scenario(1, 1, 1, ALL_EVENTS))
    assert LATE_ARGUMENTS not in analyse(model, Reductions())
