"""Each fault planted in a tree and its twin in a design give the same kind of violation."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.kernel.checking import SMALL, verdict
from tests.kernel.faults import FAULTS, HARMLESS
from tests.kernel.trees import VERSIONS
from tests.kernel.twins import HARMLESS_TWINS, TWINS

from iopermit.designs import find
from iopermit.search.check import check
from iopermit.system.scenario import ALL_EVENTS, Event, Scenario
from iopermit.translate.load import load_design

if TYPE_CHECKING:
    from iopermit.system.results import Verdict

TREE_OF = dict(zip(FAULTS, VERSIONS * len(FAULTS), strict=False))
"""The tree in which each fault is planted, as in test_check."""


@functools.cache
def of_design(name: str) -> Verdict:
    """Return the verdict about the design with a fault."""
    twin = {**TWINS, **HARMLESS_TWINS}[name]
    file = Path(__file__).with_name("twins.py")
    return check(load_design(f"{file}:{twin.__name__}"), SMALL)


def test_every_fault_has_its_twin() -> None:
    """No fault of the trees is left out."""
    assert list(TWINS) == list(FAULTS)
    assert set(HARMLESS_TWINS) <= set(HARMLESS)


@pytest.mark.parametrize(("name", "version"), TREE_OF.items())
def test_tree_and_design_agree_about_a_fault(name: str, version: str) -> None:
    """The shortest violations are of the same kind: leak, loss, crash or garbage."""
    tree, design = verdict(version, name, SMALL), of_design(name)
    assert tree.violation is not None
    assert design.violation is not None
    assert tree.violation.kind == design.violation.kind


@pytest.mark.parametrize("name", HARMLESS_TWINS)
def test_tree_and_design_agree_about_an_edit_without_effect(name: str) -> None:
    """Where the tree holds, so does the design."""
    assert verdict("6.1", name, SMALL).verdict == of_design(name).verdict == "holds"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("without", [frozenset[Event](), frozenset({Event.PREEMPT})])
def test_tree_and_design_agree_as_they_stand(version: str, without: frozenset[Event]) -> None:
    """Debian's trees and linux-6.16 have the same verdict: a leak by preemption, else none."""
    scenario = Scenario(1, 2, 1, ALL_EVENTS - without)
    tree, design = verdict(version, "", scenario), check(find("linux-6.16"), scenario)
    assert tree.verdict == design.verdict == ("holds" if without else "violated")
    if tree.violation is not None and design.violation is not None:
        assert tree.violation.kind == design.violation.kind == "leak"
        assert tree.violation.task == design.violation.task


def test_tree_and_design_agree_about_the_repair() -> None:
    """The repaired tree and linux-6.16+preempt_off hold under every event."""
    scenario = Scenario(1, 2, 1, ALL_EVENTS)
    tree = verdict("6.1", "repair", scenario)
    assert tree.verdict == check(find("linux-6.16+preempt_off"), scenario).verdict == "holds"
