"""Faults planted in Debian's tree, behind the repair of the fault that it has: patches, options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.support.kernel.faults import diff_of
from tests.support.kernel.planted.corpus import CORPUS

from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.build.source import Source

if TYPE_CHECKING:
    from tests.support.kernel.planted.fault import PlantedFault

REPAIR: Final = Path(__file__).parents[3] / "docs" / "reports" / "preempted-drop.patch"
"""What the tree's own fault is repaired by: what is planted is the only one then."""


def check_planted(tree: Path, name: str, folder: Path) -> list[str]:
    """Return the command that checks a tree with a fault, and reproduces what it finds.

    The kernel without the fault is a control.

    Args:
        tree: the tree.
        name: the fault's name.
        folder: where patches are written to.
    """
    fault = CORPUS[name]
    repaired = apply_patches(Source(tree), [REPAIR])
    planted, removed = folder / f"{name}.patch", folder / f"without-{name}.patch"
    planted.write_text(diff_of(repaired.text, fault.edits))
    removed.write_text(diff_of(repaired.text, fault.edits, undo=True))
    return [
        *("check", "--kernel", str(tree), "--patch", str(REPAIR), "--patch", str(planted)),
        *(*_scenario(fault), "--reproduce", "--control-patch", str(removed), "--json"),
    ]


def _scenario(fault: PlantedFault) -> list[str]:
    one = fault.scenario
    events = ",".join(sorted(event.name for event in one.events))
    numbers = {"--cpus": one.cpus, "--tasks": one.tasks, "--longs": one.longs}
    return ["--events", events, *(str(part) for pair in numbers.items() for part in pair)]
