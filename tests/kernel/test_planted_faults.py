"""Faults planted in the C of repaired trees: each is found, harmless edits hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.faults import unified_diff
from tests.support.kernel.planted.corpus import CORPUS, is_always_checked, is_in_sample
from tests.support.kernel.planted.fault import UNDETERMINED, planted
from tests.support.kernel.planted.running import PlantedOutcome, complaint, outcome_of
from tests.support.kernel.repaired import require_repaired_tree
from tests.support.kernel.trees import THOROUGH, VERSIONS, require_tree, unchanged

from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.build.source import Source

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = is_always_checked if THOROUGH else is_in_sample
CHECKED = [
    (version, name)
    for name, fault in CORPUS.items()
    for version in fault.versions
    if THOROUGH == "all" or (version == VERSIONS[-1] and SAMPLE(name))
]
"""Unless every fault is planted in every tree, some in the newest one."""
PLACED = [(version, name) for name, fault in CORPUS.items() for version in fault.versions]


@pytest.mark.parametrize(("version", "name"), PLACED)
def test_each_edit_fits_exactly_once(version: str, name: str, tmp_path: Path) -> None:
    """The text to be replaced is there once, and what comes of it is what a patch makes of it."""
    tree, edits = require_repaired_tree(version), CORPUS[name].edits
    patch = tmp_path / "planted.patch"
    patch.write_text(unified_diff(tree, *edits))
    changed = apply_patches(Source(tree), [patch]).changed
    assert set(changed) == {edit.path for edit in edits}


@pytest.mark.parametrize(("version", "name"), CHECKED)
def test_each_fault_is_found_and_each_harmless_edit_holds(version: str, name: str) -> None:
    """The verdict, the kind of the violation and the function that is blamed are the right ones."""
    fault = CORPUS[name]
    assert complaint(fault, outcome_of(fault, version)) == ""


def test_there_are_enough_of_them() -> None:
    """Few end as undetermined, none of them one of those that were never asked for."""
    faults = {name: fault for name, fault in CORPUS.items() if not fault.is_harmless}
    doubtful = {name: fault for name, fault in faults.items() if UNDETERMINED in fault.kinds}
    assert len(faults) - len(doubtful) >= 90
    assert len(CORPUS) - len(faults) >= 12
    assert len(doubtful) <= 5
    assert not [name for name, fault in doubtful.items() if fault.source == "never asked"]
    third = len([name for name in CORPUS if is_always_checked(name)])
    assert len(CORPUS) / 4 < third < len(CORPUS) / 2


def test_a_repaired_tree_is_made_beside_the_original() -> None:
    """It differs in one file, which is no link to the original's: that is as it was."""
    original = require_tree(VERSIONS[-1]).resolve()
    with unchanged(original / "arch/x86/kernel"):
        repaired = require_repaired_tree(VERSIONS[-1])
    path = "arch/x86/kernel/ioport.c"
    assert (repaired / path).stat().st_nlink == 1
    assert re.search(r"preempt_disable\(\);\s*clear_tsk", (repaired / path).read_text())
    assert not re.search(r"preempt_disable\(\);\s*clear_tsk", (original / path).read_text())


@pytest.mark.parametrize(
    ("kind", "function", "says", "wrong"),
    [
        ("leak", "f", "a port", ""),
        ("loss", "f", "a port", "is loss (a port), not leak"),
        ("leak", "g", "a port", "blames g(): return; not f"),
        ("leak", "f", "nothing", "says 'nothing', not 'port'"),
        ("", "", "a port", "is undetermined (a port), not leak"),
    ],
)
def test_a_wrong_outcome_is_told(kind: str, function: str, says: str, wrong: str) -> None:
    """Kind, function and message have to be the right ones."""
    fault = planted("does what it should not", "leak", "f", says="port")
    verdict = "violated" if kind else UNDETERMINED
    outcome = PlantedOutcome("6.12", verdict, kind, function, "a.c", "return", says, 1, 0.1)
    assert complaint(fault, outcome) == wrong


def test_an_undetermined_outcome_has_to_name_the_function() -> None:
    """A reason that names another function, or none, is no right one."""
    fault = planted("cannot be decided", UNDETERMINED, "f")
    reasons = ("f() reads the time", "g() reads the time")
    outcomes = [PlantedOutcome("6.12", UNDETERMINED, "", "", "", "", r, 1, 0.1) for r in reasons]
    assert [complaint(fault, outcome) for outcome in outcomes] == [
        "",
        "names none of f: g() reads the time",
    ]
