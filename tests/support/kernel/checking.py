"""Checks trees with edits planted in them, for the tests; builds and loads each only once."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.kernel.faults import FAULTS, HARMLESS, REPAIR, Edit, unified_diff
from tests.support.kernel.trees import build_cache, require_tree

from iopermit.kernel.build.builder import build
from iopermit.kernel.check import check_tree
from iopermit.kernel.loading import LoadedTree, load_built
from iopermit.system.events import Event
from iopermit.system.events.recorded import ALL_EVENTS
from iopermit.system.scenario import Scenario

if TYPE_CHECKING:
    from iopermit.engine.verdict import Verdict

FEW = frozenset({Event.IOPERM, Event.IOPL, Event.FORK, Event.FORK_FAILS, Event.EXIT})
"""Events under which every planted fault shows, and which are searched in seconds."""
SMALL = Scenario(1, 2, 2, FEW)
EVERYTHING = Scenario(1, 2, 1, ALL_EVENTS)
KINDS = {
    "own-extent": "leak",
    "sequence-kept": "loss",
    "switch-out": "leak",
    "write-shared": "loss",
    "copied-count": "garbage",
    "extent-first": "leak",
    "flag-only": "leak",
    "exit-current": "garbage",
}
"""Which violation each planted fault shows first."""
EDITS: dict[str, tuple[Edit, ...]] = {
    "": (),
    "repair": (REPAIR,),
    **{name: (REPAIR, edit) for name, edit in {**FAULTS, **HARMLESS}.items()},
}


@functools.cache
def loaded(version: str, name: str = "") -> LoadedTree:
    """Return Debian's tree of a version with an edit on top of the repair, ready to be executed."""
    tree = require_tree(version)
    edits = EDITS[name]
    with tempfile.TemporaryDirectory() as directory:
        patches = []
        if edits:
            patch = Path(directory) / "edit.patch"
            patch.write_text(unified_diff(tree, *edits))
            patches.append(patch)
        return load_built(build(tree, patches, cache=build_cache()), patches)


@functools.cache
def verdict(version: str, name: str, scenario: Scenario) -> Verdict:
    """Return the verdict about a tree with an edit."""
    return check_tree(loaded(version, name), [scenario])
