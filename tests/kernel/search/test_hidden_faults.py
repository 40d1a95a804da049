"""Faults that show only if unequal states stay unequal and everything that may interleave does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.kernel.faults import IOPORT, REPAIR, Edit, unified_diff
from tests.support.kernel.hidden_faults import HIDDEN_FAULTS
from tests.support.kernel.planted.fault import PREEMPTED
from tests.support.kernel.trees import build_cache, require_tree

from iopermit.kernel.build.builder import build
from iopermit.kernel.check import check_tree
from iopermit.kernel.loading import load_built
from iopermit.kernel.search.tree_search import TreeSearch

if TYPE_CHECKING:
    from pathlib import Path

    from iopermit.kernel.loading import LoadedTree


def edited(directory: Path, *edits: Edit) -> LoadedTree:
    """Return the repaired tree with edits, ready to be executed."""
    tree, patch = require_tree("6.12"), directory / "edit.patch"
    patch.write_text(unified_diff(tree, REPAIR, *edits))
    return load_built(build(tree, [patch], cache=build_cache()), [patch])


def test_a_search_refuses_pointers_that_are_taken_to_pieces(tmp_path: Path) -> None:
    """A part of an address in a variable is no name: the search says so instead of going on."""
    fault = HIDDEN_FAULTS["packed-pointer"]
    result = TreeSearch(edited(tmp_path, *fault.edits).image, fault.scenario).run()
    assert result.found is None
    assert result.ending is not None
    assert "where tasks and heap objects lie in memory" in result.ending.reason


def test_a_new_variable_is_followed_and_reported(tmp_path: Path) -> None:
    """A harmless global that a patch adds is no crash: the tree holds, and the report names it."""
    edits = (
        Edit("add a flag", IOPORT, r"(static atomic64_t io_bitmap_sequence;)",
             r"\1\nstatic int was_called;", "ksys_ioperm"),
        Edit("set it", IOPORT, r"(iobm = t->io_bitmap;)",
             r"WRITE_ONCE(was_called, 1);\n\t\1", "ksys_ioperm"),
    )  # fmt: skip
    found = check_tree(edited(tmp_path, *edits), [PREEMPTED])
    assert found.verdict == "holds"
    assert found.kernel is not None
    assert any("was_called" in bound for bound in found.kernel.bounds)
