"""The planted faults fit the trees that they are planted in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.kernel.faults import FAULTS, HARMLESS, REPAIR, unified_diff

from iopermit.kernel.build.patches.patch import apply_patches
from iopermit.kernel.build.source import Source

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["repair", *FAULTS, *HARMLESS])
def test_each_edit_fits_on_top_of_the_repair(tree: Path, tmp_path: Path, name: str) -> None:
    """Each edit fits each tree exactly once, changes it, and goes through a patch unaltered."""
    edits = [REPAIR] if name == "repair" else [REPAIR, {**FAULTS, **HARMLESS}[name]]
    patch = tmp_path / "edit.patch"
    patch.write_text(unified_diff(tree, *edits))
    changed = apply_patches(Source(tree), [patch]).changed
    assert set(changed) == {edit.path for edit in edits}
    for path, data in changed.items():
        text = (tree / path).read_text()
        for edit in edits:
            if edit.path == path:
                before, text = text, edit.apply(text)
                assert text != before
        assert data == text.encode()
