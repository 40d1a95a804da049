"""What a check says of a vanilla 5.4 tree with patch V2 06/16, its remedy, and repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.edits_5_4 import B11_REPAIR, MARK, REMEDY, V2_06, write_patches
from tests.support.kernel.trees import build_cache, vanilla_tree

from iopermit.kernel.build.builder import build
from iopermit.kernel.check import check_tree
from iopermit.kernel.loading import load_built
from iopermit.system.events import Event
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.kernel.faults import Edit

REVIEWED = Scenario(1, 2, 2, frozenset({Event.IOPERM}))
LATE_FAILURE = Scenario(1, 2, 1, frozenset({Event.IOPERM, Event.FORK_FAILS, Event.EXIT}))
PATCH: dict[str, tuple[Edit, ...]] = {"patch": V2_06}
REMEDIED = {**PATCH, "remedy": REMEDY}


@pytest.mark.parametrize(
    ("patches", "scenario", "wanted"),
    [
        (PATCH, REVIEWED, "leak"),
        (REMEDIED, REVIEWED, "leak"),
        ({**REMEDIED, "mark": MARK}, REVIEWED, "holds"),
        ({}, LATE_FAILURE, "loss"),
        ({"b11": B11_REPAIR}, LATE_FAILURE, "holds"),
    ],
)
def test_each_fault_is_found_and_each_repair_holds(
    patches: dict[str, tuple[Edit, ...]], scenario: Scenario, wanted: str, tmp_path: Path
) -> None:
    """The patch leaks (B1), with the remedy it still does (B2), with the mark stored it holds.

    The tree itself loses the ports of a task whose fork fails late (B11), unless it is repaired.
    """
    tree = vanilla_tree("5.4")
    files = write_patches(tree, tmp_path, **patches)
    loaded = load_built(build(tree, files, cache=build_cache()), files)
    found = check_tree(loaded, [scenario])
    kind = found.verdict if found.violation is None else found.violation.kind
    assert kind == wanted, found.reason
