"""Makes trees that hold: Debian's, with the one leak that they have repaired."""

from __future__ import annotations

import fcntl
import os
import shutil
from typing import TYPE_CHECKING

from tests.support.kernel.faults import REPAIR
from tests.support.kernel.trees import require_tree
from tests.support.requirements import shared_cache

if TYPE_CHECKING:
    from pathlib import Path


def require_repaired_tree(version: str) -> Path:
    """Return a repaired tree, made once: its other files are links to those of Debian's tree.

    What is planted in it is the only change, so that a check blames no line of the repair.
    """
    original = require_tree(version).resolve()
    tree = shared_cache() / f"repaired-{original.name}"
    with tree.with_name(f"{tree.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not tree.is_dir():
            _make(original, tree)
    return tree


def _make(original: Path, tree: Path) -> None:
    partial = tree.with_name(f"{tree.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(original, partial, symlinks=True, copy_function=os.link)
    file = partial / REPAIR.path
    text = REPAIR.apply(file.read_text())
    # Never through the link.
    file.unlink()
    file.write_text(text)
    partial.rename(tree)
